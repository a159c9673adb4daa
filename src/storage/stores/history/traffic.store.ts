import { keys } from '../../keys.js';
import type { StorageProvider } from '../../storage.provider.js';
import { HotCache } from '../hot.cache.js';
import { RecordStore, type RecordFields } from '../record.store.js';

/** Largest record in bytes. */
const maxBytes = 256 * 1024;
/** Records that are read; further ones, those written longest ago, are removed. */
export const mostProcesses = 64;

export interface TrafficRecord {
  readonly key: string;
  readonly writtenAt: Date;
  readonly fields: RecordFields;
}

/** What each process on this storage remembers of its traffic. */
export class TrafficStore {
  private readonly records: RecordStore;

  /** @param isShared whether other processes may write the same storage. */
  constructor(
    private readonly provider: StorageProvider,
    readonly isShared: boolean,
  ) {
    // Written by others all the time: never cached.
    this.records = new RecordStore(provider, new HotCache(0), maxBytes);
  }

  /** @param name of the process, whatever it contains. @throws StorageError */
  read(name: string): Promise<RecordFields | undefined> {
    return this.records.find(keys.traffic(name), (fields) => fields);
  }

  /** @throws StorageError */
  async write(name: string, fields: RecordFields): Promise<void> {
    await this.records.put(keys.traffic(name), fields);
  }

  /**
   * The records of all processes, those written last first.
   * @param name of the process that asks, whose record is left out. @param since nothing written before it
   * @throws StorageError
   */
  async others(name: string, since: number): Promise<TrafficRecord[]> {
    const entries = [];
    for await (const entry of this.provider.list(keys.trafficFolder)) entries.push(entry);
    entries.sort((one, other) => other.usedAt.getTime() - one.usedAt.getTime());
    const found: TrafficRecord[] = [];
    for (const { key, usedAt } of entries) {
      if (key === keys.traffic(name)) continue;
      if (usedAt.getTime() < since || found.length >= mostProcesses) {
        await this.provider.delete(key);
        continue;
      }
      const fields = await this.records.find(key, (each) => each);
      if (fields) found.push({ key, writtenAt: usedAt, fields });
    }
    return found;
  }
}
