import { hashHere, type ContentHash } from './content-hash.js';
import { HashThread } from './hash.thread.js';
import { hasSpareCore } from './spare-core.js';

/** Bytes of content for which a thread pays. */
const largeSize = 8 * 1024 * 1024;

/** Hashes of content: of large content in a thread of its own, where there is a core for it. */
export class ContentHashes {
  /** @param workers processes that serve. */
  constructor(
    workers: number,
    private readonly isSpare = hasSpareCore(workers),
    private readonly thread: Pick<HashThread, 'start' | 'close'> = new HashThread(),
  ) {}

  /** @param size bytes of the content, when known. */
  start(algorithm: string, size = 0): ContentHash {
    if (!this.isSpare || size < largeSize) return hashHere(algorithm);
    try {
      return this.thread.start(algorithm);
    } catch {
      // The system has no thread left.
      return hashHere(algorithm);
    }
  }

  async close(): Promise<void> {
    await this.thread.close();
  }
}
