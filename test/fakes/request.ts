import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: http.Agent;
  /** Authority to trust for https, PEM. */
  readonly ca?: string;
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What arrived, also when the body then broke off. */
  readonly body: Buffer;
  /** Why the body broke off. */
  readonly error?: Error;
}

/**
 * One request, nothing added: no redirects followed, nothing decoded, a connection of its own unless an agent is given.
 * Rejects only when no answer came at all.
 */
export async function request(url: string, options: RequestOptions = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, agent = false, ca, signal } = options;
  const common = { method, headers, agent, ...(signal && { signal }) };
  const sent = url.startsWith('https:') ? https.request(url, { ...common, ca }) : http.request(url, common);
  // Bytes after the end of a body raise an error when the answer has long been read.
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  const status = response.statusCode ?? 0;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    return { status, headers: response.headers, body: Buffer.concat(chunks), error: error as Error };
  }
  return { status, headers: response.headers, body: Buffer.concat(chunks) };
}
