import { randomUUID } from 'node:crypto';
import type { ByteRange } from '../../../../oci/byte-range.js';
import { orAbsent, StorageError } from '../../../storage-error.js';
import type { ChunkSink, Ingest } from '../../../storage.provider.js';
import type { S3Connection } from '../s3.connection.js';
import { codeOf, isRefused, toStorageError } from '../s3-errors.js';
import { headObject, removeObject } from '../s3.requests.js';
import { putFile } from './put-file.js';
import type { TempFile } from './temp-file.js';
import { Upload } from './upload.js';
import type { Uploads } from './uploads.js';

/** What an ingest needs from its provider. */
export interface IngestContext {
  readonly connection: S3Connection;
  readonly uploads: Uploads;
  /** @throws StorageError when the key is malformed. */
  pathOf(key: string): string;
}

/**
 * Content in a local file that followers read. It is uploaded in parts while it arrives if its key is known, and on commit
 * otherwise.
 */
export class S3Ingest implements Ingest {
  private readonly nonce = randomUUID();
  private upload: Upload | undefined;
  private state: 'open' | 'committed' | 'aborted' = 'open';
  private ending: Promise<void> | undefined;

  /**
   * @param path target of the early upload; undefined to upload on `commit`.
   * @param total expected size in bytes, if it is known.
   */
  constructor(
    private readonly file: TempFile,
    private readonly context: IngestContext,
    private readonly path: string | undefined,
    private readonly total?: number,
  ) {}

  get size(): number {
    return this.file.size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.file.append(chunk);
    if (this.path === undefined || this.ending || this.size < this.context.connection.tuning.firstPart) return;
    this.upload ??= this.newUpload(this.path, this.total);
    this.upload.advance();
  }

  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    return this.file.copy(range, sink, signal);
  }

  async commit(key: string): Promise<void> {
    if (this.ending) throw new StorageError('failed', 'the ingest has ended');
    const committing = this.place(key);
    this.ending = committing.catch(() => undefined);
    await committing;
  }

  async abort(): Promise<void> {
    await (this.ending ??= this.discard());
  }

  async close(): Promise<void> {
    await this.abort();
    await this.file.close();
  }

  private async place(key: string): Promise<void> {
    try {
      const path = this.context.pathOf(key);
      if (this.upload?.path === path) await this.finish(this.upload, key);
      else await this.send(path, key);
      await this.verify(path);
      this.state = 'committed';
    } catch (error) {
      await this.discard();
      throw toStorageError(error, 'commit content');
    }
  }

  /** Checks that the object is visible with the right size. An object that another process has written since is accepted. */
  private async verify(path: string): Promise<void> {
    const { connection } = this.context;
    const found = await orAbsent(headObject(connection, path));
    if (!found) throw new StorageError('failed', 'the object is missing after its upload');
    if (found.size === this.size || (found.nonce !== undefined && found.nonce !== this.nonce)) return;
    if (found.nonce === this.nonce) await removeObject(connection, path);
    throw new StorageError('failed', `the storage kept ${found.size} of ${this.size} bytes`);
  }

  private async finish(upload: Upload, key: string): Promise<void> {
    try {
      await upload.finish();
    } catch (error) {
      // A lifecycle rule or another process has removed the upload, or the server requires parts of one size. The file
      // still has all bytes.
      const isUneven = upload.isUneven && isRefused(error);
      if (!isUneven && codeOf(error) !== 'NoSuchUpload' && !(await upload.isGone())) throw error;
      await this.send(upload.path, key);
    }
  }

  /** Uploads the whole file, in one request when it is small. */
  private async send(path: string, key: string): Promise<void> {
    await this.upload?.abort();
    if (this.size >= this.context.connection.tuning.firstPart) {
      this.upload = this.newUpload(path, this.size);
      await this.upload.finish();
      return;
    }
    await putFile(this.context, path, this.file, this.nonce, key);
  }

  private newUpload(path: string, total: number | undefined): Upload {
    return new Upload(path, this.nonce, this.file, this.context.connection, this.context.uploads, total);
  }

  private async discard(): Promise<void> {
    if (this.state !== 'open') return;
    this.state = 'aborted';
    await this.upload?.abort();
  }
}
