import { hashHere, HashLost, type ContentHash } from '../../../config/hashing/content-hash.js';
import type { Digest } from '../../../oci/digest.js';
import type { DownloadBuffer } from './download.buffer.js';

/** Starts to hash content. @param size in bytes, if it is known */
export type StartHash = (algorithm: string, size?: number) => ContentHash;

/** The hash of what a download has received. It survives the end of the thread that makes it. */
export class DownloadHash {
  private hash: ContentHash;

  constructor(
    private readonly digest: Digest,
    private readonly startHash: StartHash,
  ) {
    this.hash = hashHere(digest.algorithm);
  }

  /** Begins with the first byte, again if it has begun before. @param size of all of it in bytes, if it is known */
  start(size: number | undefined): void {
    this.hash.end();
    this.hash = this.startHash(this.digest.algorithm, size);
  }

  /** The chunk has to stay as it is until the result resolves. */
  update(chunk: Buffer): Promise<void> | undefined {
    return this.hash.update(chunk);
  }

  /** The hash of all bytes so far. When its thread has ended, the stored bytes are hashed again. */
  async of(buffer: DownloadBuffer): Promise<string> {
    try {
      return await this.hash.digest();
    } catch (error) {
      if (!(error instanceof HashLost)) throw error;
      this.hash = hashHere(this.digest.algorithm);
      await buffer.readAll((chunk) => Promise.resolve(this.hash.update(chunk)));
      return this.hash.digest();
    }
  }

  end(): void {
    this.hash.end();
  }
}
