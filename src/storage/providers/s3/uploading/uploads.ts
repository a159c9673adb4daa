import { setTimeout as delay } from 'node:timers/promises';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../../../storage-error.js';
import type { S3Connection } from '../s3.connection.js';
import { codeOf } from '../s3-errors.js';
import { nonceName } from '../s3.requests.js';
import { callOptions, maxTries } from '../s3.tuning.js';
import { Semaphore } from '../../../../config/concurrency/semaphore.js';

/** Concurrent request bodies of all ingests; each uses about 600 KiB. */
const maxSending = 32;

/** The multipart uploads of this process. */
export class Uploads {
  readonly slots = new Semaphore(maxSending);
  private readonly active = new Set<string>();
  private readonly beginning = new Set<Promise<unknown>>();

  constructor(private readonly connection: S3Connection) {}

  /** @param nonce stored with the object; identifies its writer when a response was lost. @returns the upload's id */
  async begin(path: string, nonce: string): Promise<string> {
    const begun = this.create(path, nonce);
    this.beginning.add(begun);
    try {
      return await begun;
    } finally {
      this.beginning.delete(begun);
    }
  }

  /** Called when an upload has been completed. */
  forget(id: string): void {
    this.active.delete(id);
  }

  /**
   * Removes an upload and its parts. An interrupted part may still arrive afterwards, so this checks and removes again.
   * The sweep removes what remains.
   */
  async abort(path: string, id: string): Promise<void> {
    try {
      for (let tries = 1; tries <= maxTries; tries += 1) {
        await this.removeOnce(path, id);
        await delay(this.connection.tuning.retryDelay);
        if (await this.isGone(path, id)) return;
      }
    } catch {
      // The storage is failing; the sweep removes the upload later.
    } finally {
      this.active.delete(id);
    }
  }

  /** Whether this process is using an upload. After listing uploads, wait for `settled` before calling it. */
  isActive(id: string): boolean {
    return this.active.has(id);
  }

  /** Resolves when every upload that an earlier list may contain is known here. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.beginning);
  }

  private async removeOnce(path: string, id: string): Promise<void> {
    const { calls, bucket, tuning } = this.connection;
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: path, UploadId: id });
    await calls.send(command, callOptions(tuning)).catch((error: unknown) => {
      if (codeOf(error) !== 'NoSuchUpload') throw error;
    });
  }

  /** Whether the bucket does not know the upload. @throws errors of S3 or the network */
  async isGone(path: string, id: string): Promise<boolean> {
    const { calls, bucket, tuning } = this.connection;
    const command = new ListPartsCommand({ Bucket: bucket, Key: path, UploadId: id });
    try {
      await calls.send(command, callOptions(tuning));
      return false;
    } catch (error) {
      if (codeOf(error) !== 'NoSuchUpload') throw error;
      return true;
    }
  }

  private async create(path: string, nonce: string): Promise<string> {
    const { calls, bucket, tuning } = this.connection;
    const command = new CreateMultipartUploadCommand({ Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } });
    const { UploadId: id } = await calls.send(command, callOptions(tuning));
    if (id === undefined) throw new StorageError('failed', 'the storage returned no id for an upload');
    this.active.add(id);
    return id;
  }
}
