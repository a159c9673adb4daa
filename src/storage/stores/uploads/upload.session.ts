import type { Digest, DigestAlgorithm } from '../../../oci/digest.js';
import type { Taken } from '../../storage.provider.js';

/** An upload session as it is recorded. */
export interface UploadRecord {
  readonly id: string;
  /** Grows by one whenever a process claims the session. */
  readonly epoch: number;
  /** `RepositoryRef.toString()` of the repository it belongs to. */
  readonly repository: string;
  /** Bytes that have been received and outlive the process. */
  readonly size: number;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  /** Identity of the client that began it. */
  readonly startedBy?: string | undefined;
  /** Of the digest, when the client has named it. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** The digest that all its bytes were verified to have when a process began to commit them. */
  readonly committing?: string | undefined;
  /** What its URL has to say as long as nothing of it is stored. */
  readonly begun?: string | undefined;
}

/** Of a session without a byte, at every provider. */
export const emptyCheckpoint = '{"size":0}';

/** Another process has claimed the session since, or it has ended. */
export class UploadLost extends Error {
  override readonly name = 'UploadLost';

  constructor() {
    super('the upload session belongs to another process or has ended');
  }
}

/**
 * Takes verified content into use.
 * @param stored settles when the content is stored, which goes on at the same time: records may be written before that, since
 * one that names absent content counts as absent itself.
 */
export type UseContent = (size: number, stored: Promise<void>) => Promise<unknown>;

/** A session that this process has claimed; not for concurrent use. Its `size` includes what is not recorded yet. */
export interface UploadSession extends UploadRecord {
  /** What the first `append` does before it takes a byte, so that a caller can do something else when the session is lost. */
  prepare(): Promise<void>;
  /**
   * After an error the session is to be released: it can be claimed again, with the size of its last checkpoint.
   * @throws UploadLost; StorageError, `full` when there is no space
   */
  append(chunk: Uint8Array): Promise<void>;
  /**
   * Appends as many bytes as it can without waiting, none before the first `append` after a checkpoint. The caller appends the
   * others with `append`, after errors too. @throws StorageError
   */
  appendNow(chunk: Uint8Array): Taken;
  /**
   * Records what has been appended: after each request, and about every 64 MiB. After an error the session is to be
   * released. @throws UploadLost, StorageError
   */
  checkpoint(): Promise<void>;
  /** @throws UploadLost when another process has the session or has ended it; StorageError */
  assertHeld(): Promise<void>;
  /**
   * Makes the content readable under the digest if it has it, and ends the session, also when this fails.
   * @param use takes the content into use before the session ends. When it fails, or the process ends before, the session
   * can be claimed to commit the same digest again.
   * @returns the size in bytes; undefined when the digest does not match.
   * @throws UploadLost when another process has the session, which goes on; StorageError; errors of `use` unchanged
   */
  commit(digest: Digest, use?: UseContent): Promise<number | undefined>;
  /** Ends the session and removes its bytes. Never throws. */
  abort(): Promise<void>;
  /** Records the session and lets go of it, so that any process can claim it. Never throws. */
  release(): Promise<void>;
}
