import { LRUCache } from 'lru-cache';

/** Fixed cost of an entry in bytes. */
const overhead = 256;

/**
 * Recently read values within a bounded number of bytes, so that frequent responses need no disk access. It never holds
 * values that this process has replaced or removed: the result of a read that overlaps a write is not cached.
 */
export class HotCache {
  private readonly entries: LRUCache<string, { readonly value: object | number }> | undefined;
  private writes = 0;

  /**
   * @param bytes capacity; 0 disables the cache.
   * @param lifetime milliseconds until an entry expires, for storage that other processes write; 0 for no limit.
   */
  constructor(bytes: number, lifetime = 0) {
    if (bytes > 0) this.entries = new LRUCache({ maxSize: bytes, ttl: lifetime });
  }

  get isEnabled(): boolean {
    return this.entries !== undefined;
  }

  /** In bytes. */
  get size(): number {
    return this.entries?.calculatedSize ?? 0;
  }

  /** The caller knows the type of the values under its keys. */
  get(key: string): unknown {
    return this.entries?.get(key)?.value;
  }

  /** Whether the value is still cached under the key. */
  holds(key: string, value: unknown): boolean {
    return value !== undefined && this.get(key) === value;
  }

  /** Caches the result of `read` unless it is undefined or there has been a write since. */
  async getOrRead<T extends object | number>(
    key: string,
    read: () => Promise<T | undefined>,
    bytesOf: (value: T) => number,
  ): Promise<T | undefined> {
    const known = this.get(key) as T | undefined;
    if (known !== undefined) return known;
    const before = this.writes;
    const value = await read();
    if (value !== undefined && before === this.writes) {
      this.entries?.set(key, { value }, { size: overhead + key.length + bytesOf(value) });
    }
    return value;
  }

  /** To be called before and after replacing or removing the object. */
  forget(key: string): void {
    this.writes += 1;
    this.entries?.delete(key);
  }
}
