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

  /** @throws Error that names the file */
  async loadFile(): Promise<void> {
    await this.file?.read();
  }

  /** The key that the replicas share, unless there is a file. @throws StorageError */
  async loadStored(): Promise<void> {
    if (this.file) return;
    const pem = await this.store.readOrCreate('token-key', () => Promise.resolve(makeSigningKey()));
    this.stored = parseSigningKeys(pem);
  }

  /** The first signs. */
  get current(): readonly SigningKey[] {
    return this.file?.peek() ?? this.stored;
  }
}
