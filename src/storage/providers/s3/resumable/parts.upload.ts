import {
  CompleteMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { orAbsent, StorageError } from '../../../storage-error.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { headObject } from '../s3.requests.js';
import { callOptions } from '../s3.tuning.js';
import type { TempFile } from '../uploading/temp-file.js';
import type { Uploads } from '../uploading/uploads.js';

/** Parts that are copied within the bucket at the same time. */
const maxCopies = 8;

export interface PartsContext {
  readonly connection: S3Connection;
  readonly uploads: Uploads;
}

/**
 * The multipart upload of one session, which becomes the object at `path`. All parts but the last have one size, as
 * Cloudflare R2 requires, and one process writes them.
 */
export class PartsUpload {
  private readonly stop = new AbortController();
  private readonly tags = new Map<number, string>();
  private begun: Promise<string> | undefined;
  private isComplete = false;

  /**
   * @param name of the object in the folder of the session; also marks the object as written by this upload.
   * @param id of an upload that exists.
   */
  constructor(
    readonly path: string,
    readonly name: string,
    private readonly context: PartsContext,
    id?: string,
  ) {
    this.begun = id === undefined ? undefined : Promise.resolve(id);
  }

  /** The id once there is a part; undefined without one. */
  get id(): Promise<string> | undefined {
    return this.begun;
  }

  /** Learns the first parts, which another process has sent. @returns whether each is there and has the size */
  async adopt(parts: number, size: number): Promise<boolean> {
    const { calls, bucket, tuning } = this.context.connection;
    const UploadId = await this.begin();
    let after: string | undefined;
    do {
      const marker = after === undefined ? {} : { PartNumberMarker: after };
      const where = { Bucket: bucket, Key: this.path, UploadId, ...marker };
      const page = await calls.send(new ListPartsCommand(where), callOptions(tuning));
      for (const { PartNumber = 0, ETag, Size } of page.Parts ?? []) {
        if (PartNumber > 0 && PartNumber <= parts && Size === size && ETag !== undefined)
          this.tags.set(PartNumber, ETag);
      }
      after = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
    } while (after !== undefined && this.tags.size < parts);
    return this.tags.size === parts;
  }

  /** Sends a whole file as one part. @throws the last error of S3 or the network */
  async send(number: number, file: TempFile): Promise<void> {
    const { connection, uploads } = this.context;
    const { transfers, bucket, tuning } = connection;
    const UploadId = await this.begin();
    const ETag = await uploads.slots.run(() =>
      withRetries(tuning, tuning.idleTimeout, this.stop.signal, async ({ signal, refresh, end }) => {
        const body = file.body({ offset: 0, length: file.size }, refresh).once('error', end);
        const where = { Bucket: bucket, Key: this.path, UploadId, PartNumber: number };
        try {
          const command = new UploadPartCommand({ ...where, Body: body, ContentLength: file.size });
          return (await transfers.send(command, { abortSignal: signal })).ETag;
        } finally {
          body.destroy();
        }
      }),
    );
    this.keep(number, ETag);
  }

  /**
   * Copies the first bytes of an object in parts of one size, without moving them through this process.
   * @param length a multiple of `size`.
   */
  async copyFrom(path: string, length: number, size: number): Promise<void> {
    const { transfers, bucket, tuning } = this.context.connection;
    const UploadId = await this.begin();
    let next = 0;
    const copyRest = async () => {
      for (let offset = next; offset < length && !this.stop.signal.aborted; offset = next) {
        next += size;
        const number = offset / size + 1;
        const where = { Bucket: bucket, Key: this.path, UploadId, PartNumber: number };
        const source = { CopySource: `${bucket}/${path}`, CopySourceRange: `bytes=${offset}-${offset + size - 1}` };
        const { CopyPartResult } = await withRetries(tuning, tuning.operationTimeout, this.stop.signal, ({ signal }) =>
          transfers.send(new UploadPartCopyCommand({ ...where, ...source }), { abortSignal: signal }),
        );
        this.keep(number, CopyPartResult?.ETag);
      }
    };
    const workers = Array.from({ length: maxCopies }, copyRest);
    await Promise.all(workers).catch(async (error: unknown) => {
      this.stop.abort();
      await Promise.allSettled(workers);
      throw error;
    });
  }

  /** Makes the parts an object at `path`. @param size in bytes, unless the object may have parts of another process */
  async complete(size?: number): Promise<void> {
    const { connection, uploads } = this.context;
    const { transfers, bucket, tuning } = connection;
    const UploadId = await this.begin();
    const Parts: CompletedPart[] = [...this.tags]
      .sort(([one], [other]) => one - other)
      .map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
    await withRetries(tuning, tuning.operationTimeout, this.stop.signal, async ({ signal }) => {
      const where = { Bucket: bucket, Key: this.path, UploadId };
      try {
        const command = new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } });
        await transfers.send(command, { abortSignal: signal });
      } catch (error) {
        // If the response to a successful attempt was lost, the retry finds no upload.
        const found = await orAbsent(headObject(connection, this.path));
        if (found?.nonce !== this.name || found.size !== (size ?? found.size)) throw error;
      }
    });
    this.isComplete = true;
    uploads.forget(UploadId);
  }

  /** Ends what is being sent; the upload stays for another process. */
  async leave(): Promise<void> {
    this.stop.abort();
    const id = await this.begun?.catch(() => undefined);
    if (id !== undefined) this.context.uploads.forget(id);
  }

  /** Removes the upload and its parts; does nothing when it is complete. Never throws. */
  async abort(): Promise<void> {
    this.stop.abort();
    const id = await this.begun?.catch(() => undefined);
    if (id !== undefined && !this.isComplete) await this.context.uploads.abort(this.path, id);
  }

  private keep(number: number, tag: string | undefined): void {
    if (tag === undefined) throw new StorageError('failed', 'the storage returned no ETag for a part');
    this.tags.set(number, tag);
  }

  /** Starts the upload; after a failure the next part tries again. */
  private begin(): Promise<string> {
    this.stop.signal.throwIfAborted();
    return (this.begun ??= this.context.uploads.begin(this.path, this.name).catch((error: unknown) => {
      this.begun = undefined;
      throw error;
    }));
  }
}
