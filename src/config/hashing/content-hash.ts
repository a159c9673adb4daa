import { createHash } from 'node:crypto';

/** The hash of content that arrives in order. */
export interface ContentHash {
  /**
   * Adds bytes, which the caller may reuse at once.
   * @returns undefined, or a promise that resolves when more may be added.
   */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** Hexadecimal, of all bytes so far; more may follow. @throws HashLost */
  digest(): Promise<string>;
  /** Gives up what it holds. */
  end(): void;
}

/** The hash is not known any more: the content has to be read again. */
export class HashLost extends Error {
  override readonly name = 'HashLost';
}

/** A hash that is taken in the caller's thread. It is never lost. */
export function hashHere(algorithm: string): ContentHash {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Promise.resolve(hash.copy().digest('hex')),
    end: () => undefined,
  };
}
