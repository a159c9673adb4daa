import { WatchedFile } from '../authenticators/watched.file.js';
import type { KeyStore } from './key.store.js';
import { makeSigningKey, parseSigningKeys, type SigningKey } from './signing.keys.js';

/** The keys of tokens: of a file, which may change, or one that the replicas share in their storage. */
export class TokenKeys {
  private readonly file: WatchedFile<readonly SigningKey[]> | undefined;
  private stored: readonly SigningKey[] = [];

  constructor(
    path: string | undefined,
    private readonly store: KeyStore,
    now: () => number,
  ) {
    this.file = path === undefined ? undefined : new WatchedFile(path, parseSigningKeys, now);
  }

  /** @throws Error when there is no valid key */
  async load(): Promise<void> {
    if (this.file) await this.file.read();
    else
      this.stored = parseSigningKeys(
        await this.store.readOrCreate('token-key', () => Promise.resolve(makeSigningKey())),
      );
  }

  /** The first signs. */
  get current(): readonly SigningKey[] {
    return this.file?.peek() ?? this.stored;
  }
}
