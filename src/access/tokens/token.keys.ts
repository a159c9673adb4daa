import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';
import type { KeyStore } from './key.store.js';
import { makeSigningKey, parseSigningKeys, type SigningKey } from './signing.keys.js';

/** The keys of tokens: of a file, which may change, or one that the replicas share in their storage. */
export class TokenKeys {
  readonly file: WatchedFile<readonly SigningKey[]> | undefined;
  private stored: readonly SigningKey[];

  /** @param previous of an earlier version of the access file */
  constructor(
    path: string | undefined,
    private readonly store: KeyStore,
    context: FileContext,
    previous?: TokenKeys,
  ) {
    this.file = watch('token_keys', path, parseSigningKeys, context, previous?.file);
    this.stored = previous?.stored ?? [];
  }

  /** @throws Error that names the file */
  async loadFile(): Promise<void> {
    await this.file?.read();
  }

  /** The key that the replicas share, unless there is a file. @throws StorageError */
  async loadStored(): Promise<void> {
    if (this.file || this.stored.length > 0) return;
    const pem = await this.store.readOrCreate('token-key', () => Promise.resolve(makeSigningKey()));
    this.stored = parseSigningKeys(pem);
  }

  /** The first signs. */
  get current(): readonly SigningKey[] {
    return this.file?.peek() ?? this.stored;
  }
}
