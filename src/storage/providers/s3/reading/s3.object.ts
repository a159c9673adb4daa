import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { ByteRange } from '../../../../oci/byte-range.js';
import { notFound, StorageError } from '../../../storage-error.js';
import type { ChunkSink, StoredObject } from '../../../storage.provider.js';
import { receive } from './receive.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { codeOf, isAbsent, isConditionFailed, isOutage, statusOf, toStorageError } from '../s3-errors.js';
import { idleTimeOf } from '../s3.tuning.js';
import type { Watchdog } from '../watchdog.js';

/** Consecutive retries of a body without progress. */
const maxIdle = 3;

/** Opens an object with one request. @throws StorageError `not-found` */
export async function openObject(connection: S3Connection, path: string, signal?: AbortSignal): Promise<S3Object> {
  const response = await get(connection, path, {}, signal).catch((error: unknown) => {
    throw isAbsent(error) ? notFound() : toStorageError(error, 'open an object');
  });
  return new S3Object(connection, path, response, bodyOf(response));
}

/**
 * An object as it was when it was opened. The response to the opening request serves the first copy, since a delete or
 * replacement does not affect it. Later copies request the same version and fail when it has been replaced.
 */
export class S3Object implements StoredObject {
  readonly size: number;
  private readonly tag: string | undefined;
  private unread: Readable | undefined;

  constructor(
    private readonly connection: S3Connection,
    private readonly path: string,
    { ContentLength = 0, ETag }: GetObjectCommandOutput,
    body: Readable,
  ) {
    this.size = ContentLength;
    this.tag = ETag;
    this.unread = body;
  }

  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    const end = range.offset + range.length;
    let position = range.offset;
    for (let idle = 0; position < end; idle += 1) {
      signal?.throwIfAborted();
      if (position >= this.size) throw new StorageError('damaged', 'stored content is shorter than its size');
      const unread = this.takeUnread(position);
      const last = unread ? this.size : Math.min(end, this.size);
      const body = unread ?? (await this.ask(position, last, signal));
      const before = position;
      const cut = await receive(body, idleTimeOf(this.connection.tuning), signal, async (chunk) => {
        this.connection.circuit.hear();
        const wanted = chunk.length <= end - position ? chunk : chunk.subarray(0, end - position);
        position += wanted.length;
        if (wanted.length > 0) await sink(wanted);
        // A body that has only to end is read to its end, so that its connection serves the next request.
        return position < end || (position === last && wanted.length === chunk.length);
      });
      if (position > before) idle = 0;
      if (cut && position < end && idle >= maxIdle) throw toStorageError(cut, 'read an object');
    }
  }

  close(): Promise<void> {
    this.unread?.destroy();
    this.unread = undefined;
    return Promise.resolve();
  }

  /** The response to the opening request, for the first copy from the start. */
  private takeUnread(position: number): Readable | undefined {
    if (position !== 0) return undefined;
    const body = this.unread;
    this.unread = undefined;
    return body?.destroyed === true ? undefined : body;
  }

  private async ask(position: number, end: number, signal: AbortSignal | undefined): Promise<Readable> {
    // The unread response holds a connection and will probably not be used.
    await this.close();
    const condition = this.tag === undefined ? {} : { IfMatch: this.tag };
    try {
      const response = await get(
        this.connection,
        this.path,
        { ...condition, Range: `bytes=${position}-${end - 1}` },
        signal,
      );
      const body = bodyOf(response);
      const starts = response.ContentRange === undefined ? 0 : Number(/^bytes (\d+)-/.exec(response.ContentRange)?.[1]);
      if (starts === position) return body;
      body.destroy();
      throw new StorageError('failed', 'the storage sent a different range than requested');
    } catch (error) {
      signal?.throwIfAborted();
      if (statusOf(error) === 416) throw new StorageError('damaged', 'stored content is shorter than its size');
      if (isConditionFailed(error) || isAbsent(error))
        throw new StorageError('failed', `the object was replaced or removed during the read (${codeOf(error)})`);
      throw toStorageError(error, 'read an object');
    }
  }
}

/** The response when its content begins to arrive: a bucket may send headers and then nothing. */
function get(
  connection: S3Connection,
  path: string,
  options: { readonly Range?: string; readonly IfMatch?: string },
  signal?: AbortSignal,
): Promise<GetObjectCommandOutput> {
  const { transfers, bucket, tuning, circuit } = connection;
  const attempt = async ({ signal: abortSignal, end }: Watchdog) => {
    const command = new GetObjectCommand({ Bucket: bucket, Key: path, ...options });
    const response = await transfers.send(command, { abortSignal });
    const body = bodyOf(response);
    const began = performance.now();
    try {
      await circuit.wait(arrival(body, abortSignal), end);
      circuit.succeed();
      return response;
    } catch (error) {
      body.destroy();
      if (signal?.aborted !== true && isOutage(error)) circuit.fail(began, error);
      throw error;
    }
  };
  return withRetries(tuning, idleTimeOf(tuning), signal, attempt, tuning.requestTimeout);
}

/** Waits for the first bytes or the end. @throws the error of the body, or the reason of the signal */
function arrival(body: Readable, signal: AbortSignal): Promise<void> {
  if (body.readableLength > 0 || body.readableEnded) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    body.once('readable', resolve);
    // Empty content ends without becoming readable.
    body.once('end', resolve);
    body.once('error', reject);
    if (signal.aborted) leave();
  });
}

function bodyOf({ Body }: GetObjectCommandOutput): Readable {
  if (!(Body instanceof Readable)) throw new StorageError('failed', 'the storage sent no body');
  // The connection may break before the first read, which then reports the error.
  return Body.on('error', () => undefined);
}
