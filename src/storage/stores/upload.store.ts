import type { Digest, DigestAlgorithm } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { RepositoryRef } from '../../oci/repository.js';
import type { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';
import type { ContentStore } from './content.store.js';

/** An upload session as it is recorded. */
export interface UploadRecord {
  readonly id: string;
  /** Grows by one whenever a process claims the session. */
  readonly epoch: number;
  /** `RepositoryRef.toString()` of the repository it belongs to. */
  readonly repository: string;
  /** Bytes that have been received and survive the process. */
  readonly size: number;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  /** Identity of the client that began it. */
  readonly startedBy?: string | undefined;
  /** Of the digest, when the client has named it. */
  readonly algorithm?: DigestAlgorithm | undefined;
}

/** Another process has claimed the session since, or it has ended. */
export class UploadLost extends Error {
  override readonly name = 'UploadLost';
}

/** A session that this process has claimed; not for concurrent use. Its `size` includes what is not recorded yet. */
export interface UploadSession extends UploadRecord {
  /** @throws UploadLost; StorageError, `full` when there is no space: the session then stays at its last checkpoint. */
  append(chunk: Uint8Array): Promise<void>;
  /** Records what has been appended: after each request, and about every 64 MiB. @throws UploadLost, StorageError */
  checkpoint(): Promise<void>;
  /**
   * Makes the content readable under the digest if it has it, and ends the session, also when this fails.
   * @returns the size in bytes; undefined when the digest does not match.
   * @throws UploadLost, StorageError
   */
  commit(digest: Digest): Promise<number | undefined>;
  /** Ends the session and removes its bytes. Never throws. */
  abort(): Promise<void>;
  /** Records the session and lets go of it, so that any process can claim it. Never throws. */
  release(): Promise<void>;
}

/** Upload sessions. Any process can claim one, which takes it away from the process that had it. */
export class UploadStore {
  constructor(
    private readonly provider: StorageProvider,
    private readonly contents: ContentStore,
    private readonly space: SpaceLedger,
  ) {}

  /** Bytes that a client should at least send per request; undefined when it does not matter. */
  get minChunk(): number | undefined {
    return this.provider.resumable?.minChunk;
  }

  begin(
    repository: RepositoryRef,
    options: { algorithm?: DigestAlgorithm; startedBy?: string } = {},
  ): Promise<UploadSession> {
    return Promise.reject(new OciError('UNSUPPORTED', `${repository.toString()} ${options.algorithm ?? ''}`));
  }

  /** @param epoch the newest that is known; older ones work too. */
  find(id: string, epoch = 0): Promise<UploadRecord | undefined> {
    return Promise.reject(new OciError('UNSUPPORTED', `${id} ${epoch}`));
  }

  /** Takes a session over from whatever process had it. Undefined when there is none. @param epoch as for `find` */
  claim(id: string, epoch = 0): Promise<UploadSession | undefined> {
    return Promise.reject(new OciError('UNSUPPORTED', `${id} ${epoch}`));
  }

  /** Ends sessions without a byte for `age` milliseconds; returns how many. */
  sweep(age: number): Promise<number> {
    return Promise.reject(new OciError('UNSUPPORTED', `${age} ${this.contents.constructor.name} ${this.space.bytes}`));
  }
}
