import { notFound } from '../../../storage-error.js';
import { parseCheckpoint } from '../../checkpoint.js';

/** What is in the bucket of an unfinished upload. Names are those of objects in the folder of its id. */
export interface S3Checkpoint {
  /** In bytes. */
  readonly size: number;
  /** Size of each part in bytes; undefined when there is nothing. */
  readonly partSize: number | undefined;
  /** Number of complete parts in the multipart upload. */
  readonly parts: number;
  /** The multipart upload and the object that it becomes; undefined while there is no complete part. */
  readonly upload?: { readonly id: string; readonly name: string } | undefined;
  /** Object with the bytes behind the last complete part; undefined when there are none. */
  readonly tail?: string | undefined;
  /** Whether its writer has stopped. */
  readonly isPaused: boolean;
}

const objectName = /^[0-9a-f]{16}(?:-\d{1,20}){0,2}$/;
const longestId = 1_500;

export function formatCheckpoint({ upload, ...rest }: S3Checkpoint): string {
  return JSON.stringify({ ...rest, ...(upload && { upload: upload.id, object: upload.name }) });
}

/** @throws StorageError `not-found` for anything that cannot be a checkpoint */
export function parseS3Checkpoint(text: string): S3Checkpoint {
  const { size, partSize, parts, upload, object, tail, isPaused } = parseCheckpoint(text);
  const start = { size, isPaused: isPaused === true };
  if (size === 0) return { ...start, partSize: undefined, parts: 0 };
  if (!isCount(partSize) || partSize === 0 || !isCount(parts)) throw notFound();
  const rest = size - parts * partSize;
  if (rest < 0 || rest >= partSize || rest > 0 !== isName(tail)) throw notFound();
  const kept = { ...start, partSize, parts, ...(isName(tail) && { tail }) };
  if (parts === 0) return kept;
  if (typeof upload !== 'string' || upload.length > longestId || !isName(object)) throw notFound();
  return { ...kept, upload: { id: upload, name: object } };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && objectName.test(value);
}
