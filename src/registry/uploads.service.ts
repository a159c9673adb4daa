import { Injectable } from '@nestjs/common';
import type { Digest, DigestAlgorithm } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { ChunkRange, PushBody, UploadPlace } from './push.js';

/** Uploads of blobs to repositories (end-4 to end-6, end-11, end-13, end-14). */
@Injectable()
export class UploadsService {
  /** Begins a session. @throws OciError */
  begin(
    _repository: RepositoryRef,
    _options: { readonly algorithm?: DigestAlgorithm | undefined; readonly startedBy?: string | undefined } = {},
  ): Promise<UploadPlace> {
    return unsupported();
  }

  /**
   * @param range undefined appends.
   * @throws RangeRefused before a byte of the body is read; OciError
   */
  append(
    _repository: RepositoryRef,
    _id: string,
    _epoch: number | undefined,
    _range: ChunkRange | undefined,
    _body: PushBody,
  ): Promise<UploadPlace> {
    return unsupported();
  }

  /** Ends the session with its last bytes, if any. @throws RangeRefused; OciError */
  complete(
    _repository: RepositoryRef,
    _id: string,
    _epoch: number | undefined,
    _digest: Digest,
    _range: ChunkRange | undefined,
    _body: PushBody,
  ): Promise<void> {
    return unsupported();
  }

  /** A blob in one request. @throws OciError */
  single(_repository: RepositoryRef, _digest: Digest, _body: PushBody): Promise<void> {
    return unsupported();
  }

  /** @throws OciError BLOB_UPLOAD_UNKNOWN, also for a session of another repository */
  status(_repository: RepositoryRef, _id: string, _epoch?: number): Promise<UploadPlace> {
    return unsupported();
  }

  /** @throws OciError BLOB_UPLOAD_UNKNOWN */
  cancel(_repository: RepositoryRef, _id: string, _epoch?: number): Promise<void> {
    return unsupported();
  }

  /**
   * Adds a blob of another repository to this one.
   * @param from undefined: any repository of the same namespace.
   * @returns false when there is no such blob, and the client has to upload it.
   */
  mount(_repository: RepositoryRef, _digest: Digest, _from: RepositoryRef | undefined): Promise<boolean> {
    return unsupported();
  }
}

function unsupported(): Promise<never> {
  return Promise.reject(new OciError('UNSUPPORTED'));
}
