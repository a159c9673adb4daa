export type StorageErrorKind = 'not-found' | 'too-large' | 'full' | 'damaged' | 'newer-version' | 'failed';

/** The error that every provider throws. Only `not-found` means a missing object; every other kind is a failure. */
export class StorageError extends Error {
  override readonly name = 'StorageError';

  constructor(
    readonly kind: StorageErrorKind,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** Compares by name: a provider in another package may throw the class of its own copy of this module. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'StorageError' && 'kind' in value && typeof value.kind === 'string';
  }

  static isNotFound(error: unknown): boolean {
    return error instanceof StorageError && error.kind === 'not-found';
  }
}

/** Codes of the system that no removal of other objects helps against: a read-only disk, a file beyond its limit. */
const notForSpace = new Set(['EROFS', 'EFBIG']);

/** Whether a write failed for lack of space, blocks or inodes, so that removing objects may help. */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof StorageError) || error.kind !== 'full') return false;
  const { cause } = error;
  return !(cause instanceof Error && 'code' in cause && notForSpace.has(String(cause.code)));
}

/** The error for an object that does not exist. */
export function notFound(cause?: unknown): StorageError {
  return new StorageError('not-found', 'there is no such object', cause);
}

/** The value, or undefined when the object does not exist. Other errors are rethrown. */
export async function orAbsent<T>(value: Promise<T>): Promise<T | undefined> {
  try {
    return await value;
  } catch (error) {
    if (StorageError.isNotFound(error)) return undefined;
    throw error;
  }
}
