/** Counted operations of the storage port; `append`, `checkpoint`, `commit` and `copy` are those of ingests and open objects. */
export const storageOperations = [
  'read',
  'write',
  'create',
  'move',
  'touch',
  'open',
  'ingest',
  'stat',
  'delete',
  'list',
  'append',
  'checkpoint',
  'commit',
  'copy',
  'resume',
  'discard',
] as const;
export type StorageOperation = (typeof storageOperations)[number];

const zeros = () =>
  Object.fromEntries(storageOperations.map((operation) => [operation, 0])) as Record<StorageOperation, number>;

/** Storage operations and failures since the start. A missing object is not a failure. */
export class StorageCounts {
  readonly operations = zeros();
  readonly errors = zeros();
  /** Whether the last write failed because the storage is full or read-only. */
  isFull = false;
}
