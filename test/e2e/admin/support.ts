import { once } from 'node:events';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import http, { type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import supertest from 'supertest';
import { adminServerOf } from '../../../src/process/admin.server.js';
import type { Stage } from '../support/stage.js';

export const token = 'planted-token-of-an-operator';

/** The admin address of a mirror, as `serve` opens it. */
export class AdminAddress implements AsyncDisposable {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async open({ mirror }: Pick<Stage, 'mirror'>): Promise<AdminAddress> {
    const server = adminServerOf(mirror.app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AdminAddress(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  get request() {
    return supertest(this.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** Puts an object of 7 bytes into a storage that a sweep removes. @returns its key */
export async function plantDamaged(root: string): Promise<string> {
  const key = 'damaged/blobs/sha256/aa/old';
  await mkdir(`${root}/damaged/blobs/sha256/aa`, { recursive: true });
  await writeFile(`${root}/${key}`, 'damaged');
  await utimes(`${root}/${key}`, 0, 0);
  return key;
}

export interface Event {
  readonly image: string;
  readonly platform?: string;
  readonly state: string;
  readonly blobs: { readonly done: number; readonly total: number };
  readonly bytes: { readonly done: number; readonly total: number };
  readonly error?: { readonly code: string; readonly message: string };
}

export interface Warmed {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: Event[];
}

/** Asks for images to be pulled, and reads the events to their end. */
export async function warm(url: string, body: object): Promise<Warmed> {
  const sent = http.request(`${url}/_admin/warm`, { method: 'POST', agent: false });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const lines = text.split('\n').filter((line) => line !== '');
  const { statusCode: status = 0, headers } = response;
  return { status, headers, events: status === 200 ? lines.map((line) => JSON.parse(line) as Event) : [] };
}

/** The events that end something. */
export function ends(events: readonly Event[]): Event[] {
  return events.filter(({ state }) => state !== 'pulling');
}
