/** Operations of the storage port that are counted; `append`, `commit` and `copy` are those of what it opens. */
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
  'commit',
  'copy',
] as const;
export type StorageOperation = (typeof storageOperations)[number];

const zeros = () =>
  Object.fromEntries(storageOperations.map((operation) => [operation, 0])) as Record<StorageOperation, number>;

/** How often the storage was used since the start, and how often that was trouble. An absence is none. */
export class StorageCounts {
  readonly operations = zeros();
  readonly errors = zeros();
}
