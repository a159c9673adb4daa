import { CompleteMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../../../storage-error.js';
import { partsOf, type Part } from './part-sizes.js';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { isWrittenBy } from '../s3.requests.js';
import type { TempFile } from './temp-file.js';
import type { Uploads } from './uploads.js';

/** Parts of one upload that are sent at one time. */
const maxRunning = 2;
/** Milliseconds after a failed part before the next is tried while more is still coming. */
const rest = 5_000;

/**
 * A multipart upload that follows a growing file: each part is read from it when it is sent, and again when it has to be
 * repeated. A part that fails breaks nothing while content comes in; `finish` sends it again.
 * The nonce is kept with the object and tells, when an answer was lost, whether the object is there by this upload.
 */
export class Upload {
  private readonly stop = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private readonly tags = new Map<number, string>();
  /** Parts that have failed. */
  private readonly missing: Part[] = [];
  private readonly parts: Iterator<Part, never>;
  private next: Part;
  private begun: Promise<string> | undefined;
  private restsUntil = 0;
  private isFinishing = false;
  private isComplete = false;

  constructor(
    readonly path: string,
    private readonly nonce: string,
    private readonly file: TempFile,
    private readonly connection: S3Connection,
    private readonly uploads: Uploads,
  ) {
    this.parts = partsOf(connection.tuning.firstPart);
    this.next = this.parts.next().value;
  }

  /** Sends what has become a whole part since the last time. */
  advance(): void {
    while (!this.isFinishing && this.running.size < maxRunning && Date.now() >= this.restsUntil) {
      const part = this.missing.pop() ?? this.claim();
      if (!part) return;
      const sending = this.send(part)
        .catch(() => {
          this.missing.push(part);
          this.restsUntil = Date.now() + rest;
        })
        .then(() => {
          this.running.delete(sending);
          this.advance();
        });
      this.running.add(sending);
    }
  }

  /** Sends what is missing and makes the object visible. @throws what S3 or the network said last */
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
   * Whether somebody has removed it, as far as the bucket says so. A server that refuses a part may close the connection
   * while the part is being sent, and the refusal is lost.
   */
  async isGone(): Promise<boolean> {
    const id = await this.begun?.catch(() => undefined);
    return id !== undefined && (await this.uploads.isGone(this.path, id).catch(() => false));
  }

  /** Ends it and removes its parts; does nothing when it is complete. Never throws. */
  async abort(): Promise<void> {
    this.isFinishing = true;
    this.stop.abort();
    await Promise.all(this.running);
    const id = await this.begun?.catch(() => undefined);
    if (id !== undefined && !this.isComplete) await this.uploads.abort(this.path, id);
  }

  /** The next whole part. */
  private claim(): Part | undefined {
    const part = this.next;
    if (part.offset + part.length > this.file.size) return undefined;
    this.next = this.parts.next().value;
    return part;
  }

  /** The next part of content that will not grow any more; the last one is shorter. */
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
      withRetries(tuning, tuning.stall, this.stop.signal, async ({ signal, refresh, end }) => {
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
    if (tag === undefined) throw new StorageError('failed', 'the storage gave a part of an upload no tag');
    this.tags.set(part.number, tag);
  }

  /** A beginning that failed is tried anew with the next part. */
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
    await withRetries(tuning, tuning.patience, this.stop.signal, async ({ signal }) => {
      const where = { Bucket: bucket, Key: this.path, UploadId };
      const command = new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } });
      try {
        await transfers.send(command, { abortSignal: signal });
      } catch (error) {
        // The answer may be lost where the deed was done, and the second time there is no such upload any more.
        if (!(await isWrittenBy(this.connection, this.path, this.nonce))) throw error;
      }
    });
    this.isComplete = true;
    this.uploads.forget(UploadId);
  }
}
