import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { ByteRange } from '../../../../oci/byte-range.js';
import { notFound, StorageError } from '../../../storage-error.js';
import type { ChunkSink, StoredObject } from '../../../storage.provider.js';
import { receive } from './receive.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { codeOf, isAbsent, isConditionFailed, statusOf, toStorageError } from '../s3-errors.js';

/** Consecutive retries of a body without progress. */
const maxIdle = 3;

/** Opens an object with one request. @throws StorageError `not-found` */
export async function openObject(connection: S3Connection, path: string): Promise<S3Object> {
  const response = await get(connection, path, {}).catch((error: unknown) => {
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
      const body = this.takeUnread(position) ?? (await this.ask(position, Math.min(end, this.size), signal));
      const before = position;
      const cut = await receive(body, this.connection.tuning.idleTimeout, signal, async (chunk) => {
        const wanted = chunk.length <= end - position ? chunk : chunk.subarray(0, end - position);
        position += wanted.length;
        if (wanted.length > 0) await sink(wanted);
        return position < end;
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

function get(
  { transfers, bucket, tuning }: S3Connection,
  path: string,
  options: { readonly Range?: string; readonly IfMatch?: string },
  signal?: AbortSignal,
): Promise<GetObjectCommandOutput> {
  return withRetries(tuning, tuning.idleTimeout, signal, (watchdog) =>
    transfers.send(new GetObjectCommand({ Bucket: bucket, Key: path, ...options }), { abortSignal: watchdog.signal }),
  );
}

function bodyOf({ Body }: GetObjectCommandOutput): Readable {
  if (!(Body instanceof Readable)) throw new StorageError('failed', 'the storage sent no body');
  // The connection may break before the first read, which then reports the error.
  return Body.on('error', () => undefined);
}
