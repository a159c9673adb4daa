import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blob } from '../content.js';
import { MoveError, RefusedMove } from '../move-error.js';
import { collect, verified } from '../verified.js';
import { commitTimeout, ConnectionError, type Connection } from './connection.js';

/** Bytes of a blob that is sent in one request, from memory. */
const smallBlob = 1024 * 1024;
const maxAttempts = 6;
/** Looks for a blob that the server has just fetched: it is there a moment after its last byte. */
const mountAttempts = 20;
const mountInterval = 100;
/** Milliseconds without a byte while the server takes a large blob: its storage may be busy with a part of it. */
const appendTimeout = 120_000;
/** Milliseconds for the end of an upload that failed. */
const cancelTimeout = 5_000;

/** Uploads blobs to one repository (end-4 to end-6, end-11, end-13, end-14). */
export class BlobUpload {
  /** @param path of the repository at the server. */
  constructor(
    private readonly connection: Connection,
    private readonly path: string,
  ) {}

  async put(blob: Blob): Promise<void> {
    if (blob.mountFrom !== undefined) {
      if (await this.mount(blob)) return;
      // The server has to fetch it in any case; what it has fetched need not be sent back to it.
      await exhaust(verified(blob.open(0), blob.digest, blob.size));
      for (let attempt = 0; attempt < mountAttempts; attempt += 1) {
        if (await this.mount(blob)) return;
        await sleep(mountInterval, undefined, { signal: this.connection.signal });
      }
    }
    await (blob.size <= smallBlob ? this.putSmall(blob) : this.putLarge(blob));
  }

  private async mount({ digest, mountFrom = '' }: Blob): Promise<boolean> {
    const query = new URLSearchParams({ mount: digest.toString(), from: mountFrom }).toString();
    const response = await this.connection.call('POST', `${this.path}/blobs/uploads/?${query}`);
    if (response.statusCode === 201) return true;
    await this.cancel(response);
    return false;
  }

  private async putSmall({ digest, size, open }: Blob): Promise<void> {
    const body = await collect(verified(open(0), digest, size), size, `blob ${digest.toString()}`);
    const path = `${this.path}/blobs/uploads/?digest=${digest.toString()}`;
    await this.connection.call('POST', path, { headers: octets, body, timeout: commitTimeout });
  }

  /** An upload that is cut goes on where the server has it; what is not ended is removed. */
  private async putLarge(blob: Blob): Promise<void> {
    const { digest, size, open } = blob;
    // Another repository of the server may have it.
    const begun = await this.connection.call('POST', `${this.path}/blobs/uploads/?mount=${digest.toString()}`);
    if (begun.statusCode === 201) return;
    let location = locationOf(begun);
    try {
      let offset = 0;
      for (let attempt = 1; offset < size; attempt += 1) {
        try {
          const body = offset === 0 ? verified(open(0), digest, size) : open(offset);
          location = await this.append(location, body, offset, size);
          offset = size;
        } catch (error) {
          this.connection.signal.throwIfAborted();
          if (attempt === maxAttempts || !isTemporary(error)) throw error;
          await this.connection.pause(attempt);
          const state = await this.connection.call('GET', location);
          location = locationOf(state);
          offset = sizeOf(state);
        }
      }
      const end = `${location}${location.includes('?') ? '&' : '?'}digest=${digest.toString()}`;
      await this.connection.call('PUT', end, { timeout: commitTimeout });
    } catch (error) {
      await this.end(location);
      throw error instanceof RefusedMove && error.code === 'DIGEST_INVALID'
        ? new MoveError(`blob ${digest.toString()} has other content than its digest says`)
        : error;
    }
  }

  private async append(location: string, body: AsyncIterable<Uint8Array>, offset: number, size: number) {
    const range = offset === 0 ? {} : { 'content-range': `${offset}-${size - 1}` };
    const headers = { ...octets, ...range, 'content-length': size - offset };
    return locationOf(await this.connection.call('PATCH', location, { headers, body, timeout: appendTimeout }));
  }

  /** Ends an upload, which the server would do after a day. @param response that began it. */
  cancel(response: IncomingMessage): Promise<void> {
    return this.end(locationOf(response));
  }

  private async end(location: string): Promise<void> {
    const ending = this.connection.detached(cancelTimeout);
    try {
      await ending.call('DELETE', location, { expected: [404] });
    } catch (error) {
      if (!(error instanceof MoveError) && !ending.signal.aborted) throw error;
    } finally {
      ending.close();
    }
  }
}

const octets = { 'content-type': 'application/octet-stream' };

async function exhaust(chunks: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await chunks.next()).done !== true);
}

function isTemporary(error: unknown): boolean {
  return (
    error instanceof ConnectionError || (error instanceof RefusedMove && [429, 502, 503, 504].includes(error.status))
  );
}

/** @throws MoveError */
function locationOf({ headers: { location = '' } }: IncomingMessage): string {
  if (location === '') throw new MoveError('the server sent no Location for an upload');
  if (location.startsWith('/')) return location;
  const { pathname, search } = new URL(location);
  return `${pathname}${search}`;
}

function sizeOf({ headers: { range } }: IncomingMessage): number {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(String(range))?.[1];
  // `0-0` is what an empty session and one with a byte have.
  return last === undefined || last === '0' ? 0 : Number(last) + 1;
}
