import { CompleteMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../../../storage-error.js';
import { partsOf, type Part } from './part-sizes.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { isWrittenBy } from '../s3.requests.js';
import type { TempFile } from './temp-file.js';
import type { Uploads } from './uploads.js';

/** Concurrent parts of one upload. */
const maxRunning = 2;
/** Milliseconds after a failed part before the next one is sent while content still arrives. */
const backoff = 5_000;

/**
 * A multipart upload of a growing file. Parts are read from the file when they are sent, also for retries. A failed part
 * does not interrupt the download; `finish` sends it again.
 * The object's nonce shows whether this upload created it when the response to its completion was lost.
 */
export class Upload {
  private readonly stop = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private readonly tags = new Map<number, string>();
  /** Failed parts. */
  private readonly missing: Part[] = [];
  private readonly parts: Iterator<Part, never>;
  private next: Part;
  private begun: Promise<string> | undefined;
  private pausedUntil = 0;
  private isFinishing = false;
  private isComplete = false;

  /** @param total size of the whole file in bytes, if it is known already. */
  constructor(
    readonly path: string,
    private readonly nonce: string,
    private readonly file: TempFile,
    private readonly connection: S3Connection,
    private readonly uploads: Uploads,
    private readonly total: number | undefined,
  ) {
    this.parts = partsOf(connection.tuning.firstPart, total);
    this.next = this.parts.next().value;
  }

  /** Whether parts have grown, which some servers refuse. */
  get isUneven(): boolean {
    return this.total === undefined && this.next.length > this.connection.tuning.firstPart;
  }

  /** Sends parts that have become complete. */
  advance(): void {
    while (!this.isFinishing && this.running.size < maxRunning && Date.now() >= this.pausedUntil) {
      const part = this.missing.pop() ?? this.claim();
      if (!part) return;
      const sending = this.send(part)
        .catch(() => {
          this.missing.push(part);
          this.pausedUntil = Date.now() + backoff;
        })
        .then(() => {
          this.running.delete(sending);
          this.advance();
        });
      this.running.add(sending);
    }
  }

  /** Sends the remaining parts and makes the object visible. @throws the last error of S3 or the network */
  async finish(): Promise<void> {
    this.isFinishing = true;
    await Promise.all(this.running);
    const sendRest = async () => {
      for (let part = this.takeLast(); part; part = this.takeLast()) await this.send(part);
    };
    const workers = Array.from({ length: maxRunning }, sendRest);
    await Promise.all(workers).catch(async (error: unknown) => {
      this.stop.abort();
      await Promise.allSettled(workers);
      throw error;
    });
    await this.complete();
  }

  /**
   * Whether the bucket no longer knows the upload. The error response to a part may be lost, since a server may close the
   * connection while the part is being sent.
   */
  async isGone(): Promise<boolean> {
    const id = await this.begun?.catch(() => undefined);
    return id !== undefined && (await this.uploads.isGone(this.path, id).catch(() => false));
  }

  /** Aborts the upload and removes its parts; does nothing when it is complete. Never throws. */
  async abort(): Promise<void> {
    this.isFinishing = true;
    this.stop.abort();
    await Promise.all(this.running);
    const id = await this.begun?.catch(() => undefined);
    if (id !== undefined && !this.isComplete) await this.uploads.abort(this.path, id);
  }

  /** The next complete part. */
  private claim(): Part | undefined {
    const part = this.next;
    if (part.offset + part.length > this.file.size) return undefined;
    this.next = this.parts.next().value;
    return part;
  }

  /** The next part of a file that no longer grows; the last one is shorter. */
  private takeLast(): Part | undefined {
    const part = this.missing.pop() ?? this.claim();
    if (part) return part;
    const { number, offset } = this.next;
    if (offset >= this.file.size) return undefined;
    this.next = this.parts.next().value;
    return { number, offset, length: this.file.size - offset };
  }

  private async send(part: Part): Promise<void> {
    const { transfers, bucket, tuning } = this.connection;
    const UploadId = await this.begin();
    const tag = await this.uploads.slots.run(() =>
      withRetries(tuning, tuning.idleTimeout, this.stop.signal, async ({ signal, refresh, end }) => {
        const body = this.file.body(part, refresh).once('error', end);
        const where = { Bucket: bucket, Key: this.path, UploadId, PartNumber: part.number };
        try {
          const command = new UploadPartCommand({ ...where, Body: body, ContentLength: part.length });
          return (await transfers.send(command, { abortSignal: signal })).ETag;
        } finally {
          body.destroy();
        }
      }),
    );
    if (tag === undefined) throw new StorageError('failed', 'the storage returned no ETag for a part');
    this.tags.set(part.number, tag);
  }

  /** Starts the upload; after a failure the next part tries again. */
  private begin(): Promise<string> {
    this.stop.signal.throwIfAborted();
    return (this.begun ??= this.uploads.begin(this.path, this.nonce).catch((error: unknown) => {
      this.begun = undefined;
      throw error;
    }));
  }

  private async complete(): Promise<void> {
    const { transfers, bucket, tuning } = this.connection;
    const UploadId = await this.begin();
    const Parts = [...this.tags]
      .sort(([one], [other]) => one - other)
      .map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
    await withRetries(tuning, tuning.operationTimeout, this.stop.signal, async ({ signal }) => {
      const where = { Bucket: bucket, Key: this.path, UploadId };
      const command = new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } });
      try {
        await transfers.send(command, { abortSignal: signal });
      } catch (error) {
        // If the response to a successful attempt was lost, the retry finds no upload.
        if (!(await isWrittenBy(this.connection, this.path, this.nonce))) throw error;
      }
    });
    this.isComplete = true;
    this.uploads.forget(UploadId);
  }
}
