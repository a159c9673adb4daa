import { LRUCache } from 'lru-cache';

/** Bytes that an entry costs besides its value. */
const overhead = 256;

/**
 * What was read lately, in a bounded number of bytes, so that hot answers do not touch the disk. It never holds what this
 * process has replaced or removed: a read that began before a write is not remembered after it.
 */
export class HotCache {
  private readonly entries: LRUCache<string, { readonly value: object | number }> | undefined;
  private writes = 0;

  /**
   * @param bytes 0 remembers nothing.
   * @param lifetime milliseconds after which it is read again, where others may write too; 0 for no bound.
   */
  constructor(bytes: number, lifetime = 0) {
    if (bytes > 0) this.entries = new LRUCache({ maxSize: bytes, ttl: lifetime });
  }

  /** Bytes held. */
  get size(): number {
    return this.entries?.calculatedSize ?? 0;
  }

  /** The caller knows what it stored under its keys. */
  get(key: string): unknown {
    return this.entries?.get(key)?.value;
  }

  /** Whether the value is still what is remembered under the key. */
  holds(key: string, value: unknown): boolean {
    return value !== undefined && this.get(key) === value;
  }

  /** Remembers what `read` gives, unless it is undefined or something was written since. */
  async through<T extends object | number>(
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

  /** To be called before and after the object under the key is replaced or removed. */
  forget(key: string): void {
    this.writes += 1;
    this.entries?.delete(key);
  }
}
