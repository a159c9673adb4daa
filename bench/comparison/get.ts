import { acceptEverything } from '../../test/fixtures/images.js';
import { digestOf } from '../content/bytes.js';

/** Milliseconds after which a client gives up. */
export const patience = 30_000;

export interface Received {
  /** Undefined when no response came. */
  readonly status?: number;
  /** Of the whole body; undefined when it was cut. */
  readonly digest?: string;
  readonly millis: number;
}

export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** Sends one request and hashes what comes; never rejects. */
export async function get(url: string, { method = 'GET', headers = {}, body }: Request = {}): Promise<Received> {
  const start = performance.now();
  const millis = (): number => performance.now() - start;
  let status: number | undefined;
  try {
    const signal = AbortSignal.timeout(patience);
    const response = await fetch(url, {
      method,
      headers: { accept: acceptEverything, ...headers },
      signal,
      body: body ?? null,
    });
    status = response.status;
    return { status, digest: digestOf(new Uint8Array(await response.arrayBuffer())), millis: millis() };
  } catch {
    // A refused connection, a cut and a client that gave up are all outcomes of a trial.
    return { ...(status !== undefined && { status }), millis: millis() };
  }
}

/** What a client saw, in a word or two. */
export function outcomeOf({ status, digest, millis }: Received, expected: string): string {
  if (status === undefined) return millis >= patience ? `no response in ${patience / 1000} s` : 'connection cut';
  if (status !== 200 && status !== 206) return String(status);
  if (digest === undefined) return 'body cut';
  return digest === expected ? 'served' : 'wrong bytes';
}
