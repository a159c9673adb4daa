import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { isIngestId } from '../../../storage/keys.js';
import { UploadLost, UploadStore } from '../../../storage/stores/upload.store.js';
import type { PushBody } from '../../push.js';
import { HostedBlobsService } from '../hosted-blobs.service.js';
import { receiveBody } from '../receive-body.js';
import { isOwn, type SessionOwner } from '../session.owner.js';

/** Milliseconds to wait for another request that completes the same upload. */
const patience = 3_000;
/** Milliseconds between two looks at what it has done. */
const pause = 50;

/**
 * Final requests of sessions that have ended, or that another request ends now. containerd and regctl repeat a PUT whose
 * response was lost, and take "unknown" as the end of the push.
 */
@Injectable()
export class AcknowledgedUploads {
  constructor(
    private readonly uploads: UploadStore,
    private readonly blobs: HostedBlobsService,
  ) {}

  /**
   * Whether the repository has what the request ends the session with. The body is read then, so that the client hears the
   * response.
   * @param error with which the request has failed.
   * @throws OciError UNAVAILABLE when another request is still completing the upload
   */
  async has(owner: SessionOwner, id: string, digest: Digest, body: PushBody, error: unknown): Promise<boolean> {
    const wasLost = isCausedByLoss(error);
    if (!isIngestId(id) || !(wasLost || isUnknownUpload(error))) return false;
    for (const end = performance.now() + patience; ;) {
      const record = await this.uploads.find(id);
      if (record && !isOwn(owner, record)) return false;
      const isCompleting = record?.committing === digest.toString();
      // The record of a session that was completed is removed last.
      if ((isCompleting || !record) && (await this.acknowledge(owner.repository, digest, body))) return true;
      if (!record || !(isCompleting || (wasLost && body.length === 0))) return false;
      if (performance.now() < end) {
        await sleep(pause);
        continue;
      }
      if (!isCompleting) return false;
      const options = { retryAfter: 1, cause: error };
      throw new OciError('UNAVAILABLE', 'the upload is being completed by another request', options);
    }
  }

  /** Reads a body whose bytes are there already. @param most bytes that it may have. @throws OciError */
  async discard(body: PushBody, most: number): Promise<void> {
    if (body.length === 0) return;
    await receiveBody(body, { before: 0, most }, () => Promise.resolve(), new AbortController().signal);
  }

  private async acknowledge(repository: RepositoryRef, digest: Digest, body: PushBody): Promise<boolean> {
    const size = await this.blobs.findSize(repository, digest);
    if (size === undefined || (body.length ?? 0) > size) return false;
    await this.discard(body, size);
    return true;
  }
}

/** Whether a session is unknown to the client. */
function isUnknownUpload(error: unknown): boolean {
  return error instanceof OciError && error.code === 'BLOB_UPLOAD_UNKNOWN';
}

/** Whether another request has taken the session. */
function isCausedByLoss(error: unknown): boolean {
  return error instanceof UploadLost || (error instanceof Error && isCausedByLoss(error.cause));
}
