import { notFound } from '../storage-error.js';

/** A checkpoint of a resumable ingest. Every provider records the size, and whatever else it needs. */
export type Checkpoint = Readonly<Record<string, unknown>> & { readonly size: number };

/** @throws StorageError `not-found` for anything that cannot be a checkpoint */
export function parseCheckpoint(text: string): Checkpoint {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notFound(error);
  }
  if (typeof value !== 'object' || value === null || !('size' in value)) throw notFound();
  if (!Number.isSafeInteger(value.size) || Number(value.size) < 0) throw notFound();
  return value as Checkpoint;
}
