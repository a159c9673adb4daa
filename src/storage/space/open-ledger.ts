import { Logger } from '@nestjs/common';
import type { Quota } from '../../config/values/size.js';
import { keys } from '../keys.js';
import { RecordStore, type RecordFields } from '../stores/record.store.js';
import { SpaceLedger, type Measured } from './space.ledger.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/** Bytes beyond which a disk has no real limit: network file systems claim to have 8 EiB. */
const implausible = 2 ** 50;

/**
 * The ledger, initialized with the last stored measurement so that the quota holds from the first request.
 * @throws StorageError when the quota is a percentage of a storage of unknown size.
 */
export async function openLedger(provider: StorageProvider, quota: Quota | undefined): Promise<SpaceLedger> {
  const ledger = new SpaceLedger(await bytesOf(provider, quota));
  try {
    const measured = await new RecordStore(provider).find(keys.state('usage'), readMeasured);
    if (measured) ledger.measure(measured, ledger.added);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    new Logger(SpaceLedger.name).warn(`storage usage is unknown until the next sweep: ${error.message}`);
  }
  return ledger;
}

async function bytesOf(provider: StorageProvider, quota: Quota | undefined): Promise<number | undefined> {
  if (quota === undefined || typeof quota === 'number') return quota;
  const capacity = await provider.capacity();
  if (capacity !== undefined && capacity > implausible)
    new Logger(SpaceLedger.name).warn(
      `--max-size: the disk claims to have ${Math.round(capacity / 2 ** 40)} TiB, which is hardly a limit: give bytes instead of a percentage`,
    );
  if (capacity !== undefined) return Math.floor(capacity * quota.share);
  throw new StorageError(
    'failed',
    '--max-size: the size of this storage is unknown: give bytes instead of a percentage',
  );
}

function readMeasured({ bytes, objects, damaged }: RecordFields): Measured | undefined {
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  return isCount(bytes) && isCount(objects) && isCount(damaged) ? { bytes, objects, damaged } : undefined;
}
