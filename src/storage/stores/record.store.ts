import { orAbsent, StorageError } from '../storage-error.js';
import { keys } from '../keys.js';
import { HotCache } from './hot.cache.js';
import { SpaceLedger } from '../space/space.ledger.js';
import type { StorageProvider } from '../storage.provider.js';

/** Largest record in bytes; written ones have a few hundred. */
const maxRecordBytes = 64 * 1024;

/** Estimated cost of a cached record in bytes. */
const recordCost = 512;

/** The record version that this program writes, and the newest it reads. */
const version = 1;

export type RecordFields = Readonly<Record<string, unknown>>;

/** Small versioned JSON records. A damaged record is quarantined and counts as absent, so that it is created again (P12). */
export class RecordStore {
  /**
   * @param limit size of the largest record in bytes.
   * @param isHosted whether the records are of what was pushed. Those of the other kind under the same keys count as
   * absent, so that a namespace that changes from one to the other serves nothing that came the other way.
   */
  constructor(
    private readonly provider: StorageProvider,
    private readonly hot = new HotCache(0),
    private readonly limit = maxRecordBytes,
    private readonly space = new SpaceLedger(),
    private readonly isHosted = false,
  ) {}

  /**
   * @param read parses the fields; returns undefined when any are missing or invalid.
   * @throws StorageError `newer-version` for a record of a later version, which is neither used nor overwritten.
   */
  find<T extends object | number>(
    key: string,
    read: (fields: RecordFields) => T | undefined,
    sizeOf: (record: T) => number = () => 0,
  ): Promise<T | undefined> {
    return this.hot.getOrRead(
      hotKey(key, this.isHosted),
      () => this.readRecord(key, read),
      (record) => recordCost + sizeOf(record),
    );
  }

  /** As `find`, bypassing the memory cache: another replica may have written since. */
  reread<T extends object | number>(
    key: string,
    read: (fields: RecordFields) => T | undefined,
  ): Promise<T | undefined> {
    this.forget(key);
    return this.find(key, read);
  }

  /**
   * @param body stored behind the fields as it is, and read as the field `body`.
   * @throws StorageError `full` when there is no space for a new record; replacing one needs none.
   */
  async put(key: string, fields: RecordFields, body?: Uint8Array): Promise<void> {
    if (this.space.isFull && !(await orAbsent(this.provider.stat(key)))) this.space.check();
    const content = this.contentOf(fields, body);
    await this.replacing(key, () => this.provider.write(key, content));
  }

  /** Creates a record. @returns false when there is one; at the same time in several processes only if `isExclusive`. */
  async create(key: string, fields: RecordFields): Promise<boolean> {
    this.space.check();
    const content = this.contentOf(fields);
    if (!this.provider.isExclusive) {
      if (await orAbsent(this.provider.stat(key))) return false;
      await this.replacing(key, () => this.provider.write(key, content));
      return true;
    }
    let isCreated = false;
    await this.replacing(key, async () => {
      isCreated = await this.provider.create(key, content);
    });
    return isCreated;
  }

  async remove(key: string): Promise<void> {
    await this.replacing(key, () => this.provider.delete(key));
  }

  private contentOf(fields: RecordFields, body?: Uint8Array): Buffer {
    const mark = this.isHosted && { hosted: true };
    const line = Buffer.from(JSON.stringify({ version, ...mark, ...fields, ...(body && { bodySize: body.length }) }));
    return body ? Buffer.concat([line, Buffer.from('\n'), body]) : line;
  }

  private async replacing(key: string, write: () => Promise<void>): Promise<void> {
    this.forget(key);
    await write().finally(() => this.forget(key));
  }

  private forget(key: string): void {
    for (const isHosted of [false, true]) this.hot.forget(hotKey(key, isHosted));
  }

  private async readRecord<T>(key: string, read: (fields: RecordFields) => T | undefined): Promise<T | undefined> {
    const content = await orAbsent(this.provider.read(key, this.limit)).catch((error: unknown) => {
      if (error instanceof StorageError && error.kind === 'too-large') return Buffer.alloc(0);
      throw error;
    });
    if (content === undefined) return undefined;
    const fields = parseFields(content);
    if (typeof fields?.version === 'number' && fields.version > version) {
      throw new StorageError('newer-version', `the record ${key} was written by a newer version of this program`);
    }
    if (fields?.version === version && (fields.hosted === true) !== this.isHosted) return undefined;
    const record = fields?.version === version ? read(fields) : undefined;
    if (record === undefined) await this.quarantine(key, content);
    return record;
  }

  /** On a full disk the record stays in place until it is overwritten. */
  private async quarantine(key: string, content: Buffer): Promise<void> {
    try {
      await this.provider.write(keys.damaged(key), content);
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'full') return;
      throw error;
    }
    await this.provider.delete(key);
  }
}

/** Under which a record is in memory: a namespace may change from one kind to the other while the server runs. */
export function hotKey(key: string, isHosted: boolean): string {
  return isHosted ? `${key} hosted` : key;
}

/** The fields, and the body behind them if there is one: JSON.stringify writes no newline. Undefined when damaged. */
function parseFields(content: Buffer): RecordFields | undefined {
  const end = content.indexOf('\n');
  if (end === -1) return parseRecord(content);
  const fields = parseRecord(content.subarray(0, end));
  const body = content.subarray(end + 1);
  return fields?.bodySize === body.length ? { ...fields, body } : undefined;
}

/** The upstream's permission for a repository to serve something. */
export interface Permission {
  /** Whether the upstream required credentials. */
  readonly isPrivate: boolean;
  /** When the upstream last granted it, in milliseconds since 1970. */
  readonly agreedAt: number;
}

/** Parses `Permission`. Fields that are missing in an older record count as private and never granted. */
export function permissionOf({ isPrivate, agreedAt }: RecordFields): Permission {
  return {
    isPrivate: isPrivate !== false,
    agreedAt: typeof agreedAt === 'number' && Number.isFinite(agreedAt) ? agreedAt : 0,
  };
}

/** Parses the field `size`, in bytes. */
export function sizeOf({ size }: RecordFields): number | undefined {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

/** The fields of a JSON object; undefined for anything else. */
export function parseRecord(content: Buffer): RecordFields | undefined {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RecordFields) : undefined;
  } catch {
    return undefined;
  }
}
