import { Logger } from '@nestjs/common';
import type { Digest, DigestAlgorithm } from '../../../oci/digest.js';
import { StorageError } from '../../storage-error.js';
import type { Taken } from '../../storage.provider.js';
import type { UploadContext } from './claimed.upload.js';
import type { UploadFields } from './upload.records.js';
import type { UploadSession, UseContent } from './upload.session.js';

/**
 * A session that another process was committing: its bytes are stored as content, which is still to be taken into use. Its
 * record proves that the client has sent them.
 */
export class CommittedUpload implements UploadSession {
  private readonly logger = new Logger('Uploads');
  readonly repository: string;
  readonly size: number;
  readonly startedAt: number;
  readonly startedBy: string | undefined;
  readonly algorithm: DigestAlgorithm | undefined;
  readonly committing: string | undefined;

  /** @param discard removes what may be left of its bytes. */
  constructor(
    readonly id: string,
    readonly epoch: number,
    private readonly fields: UploadFields,
    private readonly context: UploadContext,
    private readonly discard: () => Promise<void>,
  ) {
    this.repository = fields.repository;
    this.size = fields.size;
    this.startedAt = fields.startedAt;
    this.startedBy = fields.startedBy;
    this.algorithm = fields.algorithm;
    this.committing = fields.committing;
  }

  /** Records the claim. @throws UploadLost, StorageError */
  async record(): Promise<void> {
    await this.context.records.write(this.id, this.epoch, this.fields);
    await this.assertHeld();
  }

  prepare(): Promise<never> {
    return Promise.reject(new StorageError('failed', 'the upload has all its bytes'));
  }

  append(): Promise<never> {
    return this.prepare();
  }

  appendNow(): Taken {
    return { bytes: 0 };
  }

  checkpoint(): Promise<void> {
    return Promise.resolve();
  }

  assertHeld(): Promise<void> {
    return this.context.records.assertHeld(this.id, this.epoch);
  }

  async commit(digest: Digest, use?: UseContent): Promise<number | undefined> {
    const isSame = digest.toString() === this.committing;
    if (isSame) {
      await this.assertHeld();
      if ((await this.context.contents.findSize(digest)) !== this.size)
        throw new StorageError('failed', 'the content was removed meanwhile');
      await use?.(this.size, Promise.resolve());
    }
    await this.abort();
    return isSame ? this.size : undefined;
  }

  async abort(): Promise<void> {
    try {
      await this.discard();
      await this.context.records.removeAll(this.id, this.epoch);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown error';
      this.logger.warn(`cannot remove the record of an upload: ${reason}`);
    }
  }

  release(): Promise<void> {
    return Promise.resolve();
  }
}
