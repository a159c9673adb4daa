import { Injectable } from '@nestjs/common';
import type { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { isIngestId } from '../../../storage/keys.js';
import { UploadStore } from '../../../storage/stores/upload.store.js';
import type { PushBody } from '../../push.js';
import { HostedBlobsService } from '../hosted-blobs.service.js';
import { receiveBody } from '../receive-body.js';

/**
 * Final requests of sessions that have ended. containerd and regctl repeat a PUT whose response was lost, and take "unknown" as
 * the end of the push.
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
   */
  async has(repository: RepositoryRef, id: string, digest: Digest, body: PushBody): Promise<boolean> {
    // One that exists is not the client's own.
    if (!isIngestId(id) || (await this.uploads.find(id))) return false;
    const size = await this.blobs.findSize(repository, digest);
    if (size === undefined || (body.length ?? 0) > size) return false;
    if (body.length !== 0) await this.discard(body, size);
    return true;
  }

  private async discard(body: PushBody, most: number): Promise<void> {
    await receiveBody(body, { before: 0, most }, () => Promise.resolve(), new AbortController().signal);
  }
}

/** Whether a session is unknown to the client. */
export function isUnknownUpload(error: unknown): boolean {
  return error instanceof OciError && error.code === 'BLOB_UPLOAD_UNKNOWN';
}
