import { setTimeout as delay } from 'node:timers/promises';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../../../storage-error.js';
import type { S3Connection } from '../s3.connection.js';
import { codeOf } from '../s3-errors.js';
import { nonceName } from '../s3.requests.js';
import { maxTries } from '../s3.tuning.js';
import { Semaphore } from './semaphore.js';

/** Bodies sent at one time by all ingests; each holds some 600 KiB. */
const maxSending = 32;

/** The multipart uploads of this process. */
export class Uploads {
  readonly slots = new Semaphore(maxSending);
  private readonly active = new Set<string>();
  private readonly beginning = new Set<Promise<unknown>>();

  constructor(private readonly connection: S3Connection) {}

  /** @param nonce kept with the object: it tells whose it is when an answer has been lost. @returns its id */
  async begin(path: string, nonce: string): Promise<string> {
    const begun = this.create(path, nonce);
    this.beginning.add(begun);
    try {
      return await begun;
    } finally {
      this.beginning.delete(begun);
    }
  }

  /** It has ended well. */
  forget(id: string): void {
    this.active.delete(id);
  }

  /**
   * Removes an upload and its parts. A part whose sending was cut may still arrive after that and stay, so it looks, and
   * removes again. What cannot be removed now is swept later.
   */
  async abort(path: string, id: string): Promise<void> {
    try {
      for (let tries = 1; tries <= maxTries; tries += 1) {
        await this.removeOnce(path, id);
        await delay(this.connection.tuning.pause);
        if (await this.isGone(path, id)) return;
      }
    } catch {
      // The storage is in trouble: nothing helps now.
    } finally {
      this.active.delete(id);
    }
  }

  /** Whether this process is at work on an upload. Wait for `settled` after listing uploads and before asking. */
  isActive(id: string): boolean {
    return this.active.has(id);
  }

  /** Resolves when every upload that may be in a list that was fetched before is known here. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.beginning);
  }

  private async removeOnce(path: string, id: string): Promise<void> {
    const { calls, bucket, tuning } = this.connection;
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: path, UploadId: id });
    await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) }).catch((error: unknown) => {
      if (codeOf(error) !== 'NoSuchUpload') throw error;
    });
  }

  /** Whether the bucket knows nothing of an upload. @throws what S3 or the network says */
  async isGone(path: string, id: string): Promise<boolean> {
    const { calls, bucket, tuning } = this.connection;
    const command = new ListPartsCommand({ Bucket: bucket, Key: path, UploadId: id });
    try {
      await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
      return false;
    } catch (error) {
      if (codeOf(error) !== 'NoSuchUpload') throw error;
      return true;
    }
  }

  private async create(path: string, nonce: string): Promise<string> {
    const { calls, bucket, tuning } = this.connection;
    const command = new CreateMultipartUploadCommand({ Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } });
    const { UploadId: id } = await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) });
    if (id === undefined) throw new StorageError('failed', 'the storage gave an upload no id');
    this.active.add(id);
    return id;
  }
}
