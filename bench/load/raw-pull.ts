import { connect } from 'node:net';
import { sharedNow } from '../processes/task.js';
import type { CrowdReport } from './crowd.js';

/** How long a connection may be silent before the pull counts as failed. */
const silence = 60_000;

/** All connections read into it, one after the other: its content is checked before the next read. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * Pulls one body over a bare socket and compares every byte with what it must be, which costs less than hashing it: a
 * thousand readers that fall behind would only measure how the kernel drops what it cannot buffer.
 * @returns why it is not the right body; undefined when it is.
 */
export function rawPull(url: URL, expected: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const response = new HttpResponse(expected);
    const onread = {
      buffer,
      callback: (length: number) => {
        response.take(buffer.subarray(0, length));
        if (response.isOver) socket.destroy();
        return true;
      },
    };
    const socket = connect({ host: url.hostname, port: Number(url.port), onread });
    socket.setTimeout(silence, () => socket.destroy(new Error(`silent for ${silence / 1000} s`)));
    socket.once('error', (error) => response.end(error.message));
    // Whoever is right or wrong already stays so.
    socket.once('close', () => {
      response.end('cut');
      resolve(response.complaint);
    });
    socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`);
  });
}

/** All of these pulls at once. */
export async function rawPulls(
  jobs: readonly { readonly url: URL; readonly expected: Buffer }[],
): Promise<CrowdReport> {
  const startedAt = sharedNow();
  const pulls = await Promise.all(jobs.map(({ url, expected }) => rawPull(url, expected)));
  const seconds = (sharedNow() - startedAt) / 1000;
  const complaints: Record<string, number> = {};
  for (const complaint of pulls) {
    if (complaint !== undefined) complaints[complaint] = (complaints[complaint] ?? 0) + 1;
  }
  return { right: pulls.filter((complaint) => complaint === undefined).length, complaints, seconds, startedAt };
}

/** What has arrived of an answer, head and body. */
class HttpResponse {
  complaint: string | undefined;
  isOver = false;
  private head: string | undefined = '';
  private received = 0;

  constructor(private readonly expected: Buffer) {}

  take(chunk: Buffer): void {
    const body = this.head === undefined ? chunk : this.takeHead(chunk);
    if (body === undefined || this.isOver) return;
    const right = this.expected.subarray(this.received, this.received + body.length);
    this.received += body.length;
    if (!body.equals(right)) this.end('wrong bytes');
    if (this.received === this.expected.length) this.end();
  }

  end(complaint?: string): void {
    if (this.isOver) return;
    this.isOver = true;
    if (complaint !== undefined) this.complaint = this.received > 0 ? `${complaint} in the body` : complaint;
  }

  /** Returns the part of the chunk that belongs to the body, once the head is complete. */
  private takeHead(chunk: Buffer): Buffer | undefined {
    const before = this.head?.length ?? 0;
    const head = `${this.head ?? ''}${chunk.toString('latin1')}`;
    const end = head.indexOf('\r\n\r\n');
    this.head = end < 0 ? head : undefined;
    if (end < 0) return undefined;
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 'malformed';
    const length = /^content-length: *(\d+)\r?$/im.exec(head.slice(0, end + 2))?.[1] ?? 'absent';
    if (status !== '200') this.end(`status ${status}`);
    else if (length !== String(this.expected.length)) this.end(`content-length ${length}`);
    return chunk.subarray(end + 4 - before);
  }
}
