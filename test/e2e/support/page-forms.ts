import { once } from 'node:events';
import http, { type OutgoingHttpHeaders } from 'node:http';
import { request, type Reply } from '../../fakes/request.js';

/** A form that is sent by POST. */
export interface Form {
  readonly action: string;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

/** @param which of the forms of a page that are sent by POST */
export function formOf({ body }: Reply, which = 0): Form {
  const forms = [...body.toString().matchAll(/<form[^>]*method="post"[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)];
  const [, action = '', inner = ''] = forms[which] ?? [];
  if (action === '') throw new Error('the page has no such form');
  const fields = [...inner.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
  return { action, fields: Object.fromEntries(fields.map(([, name = '', value = '']) => [name, plainOf(value)])) };
}

function plainOf(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

/** A browser without JavaScript that follows nothing: it keeps its cookie and its password. */
export class Browser {
  private kept: string | undefined;

  constructor(
    private readonly url: string,
    private readonly authorization?: string,
  ) {}

  get cookie(): string {
    return this.kept ?? '';
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    const reply = await request(`${this.url}${path}`, { headers: this.headersWith(headers) });
    const [cookie] = reply.headers['set-cookie'] ?? [];
    if (cookie !== undefined) this.kept = cookie.split(';', 1)[0];
    return reply;
  }

  async post({ action, fields }: Form, headers: Record<string, string> = {}): Promise<Reply> {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value);
    const all: OutgoingHttpHeaders = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(form.toString()),
      ...this.headersWith(headers),
    };
    const sent = http.request(`${this.url}${action}`, { method: 'POST', headers: all, agent: false });
    // A body that is too long is not read to its end.
    sent.on('error', () => undefined);
    sent.end(form.toString());
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
  }

  private headersWith(headers: Record<string, string>): Record<string, string> {
    const all: Record<string, string> = { accept: 'text/html', ...(this.kept !== undefined && { cookie: this.kept }) };
    if (this.authorization !== undefined) all.authorization = this.authorization;
    return { ...all, ...headers };
  }
}
