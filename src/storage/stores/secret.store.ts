import { keys, type SecretName } from '../keys.js';
import { orAbsent, StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/** Largest secret in bytes. */
const maxBytes = 16 * 1024;

/** Secrets that the replicas share: the first that needs one makes it. Whoever can read the storage can read them. */
export class SecretStore {
  constructor(private readonly provider: StorageProvider) {}

  /**
   * The stored text, or the new one if there was none. Of concurrent calls in any process all get the same one where the
   * storage can create exclusively.
   * @throws StorageError
   */
  async readOrCreate(name: SecretName, create: () => Promise<string>): Promise<string> {
    const key = keys.secret(name);
    const stored = await this.find(key);
    if (stored !== undefined) return stored;
    const content = Buffer.from(await create());
    if (this.provider.isExclusive) await this.provider.create(key, content);
    else await this.provider.write(key, content);
    const written = await this.find(key);
    if (written === undefined) throw new StorageError('failed', `${key} has gone after it was written`);
    return written;
  }

  /** What it was used for does not count any more. @throws StorageError */
  async remove(name: SecretName): Promise<void> {
    await this.provider.delete(keys.secret(name));
  }

  private async find(key: string): Promise<string | undefined> {
    return (await orAbsent(this.provider.read(key, maxBytes)))?.toString('utf8');
  }
}
