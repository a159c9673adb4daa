export type StorageErrorKind = 'not-found' | 'too-large' | 'full' | 'damaged' | 'newer-version' | 'failed';

/** What every provider throws. Only `not-found` means absence; everything else is trouble. */
export class StorageError extends Error {
  override readonly name = 'StorageError';

  constructor(
    readonly kind: StorageErrorKind,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  /** A provider of another package throws the error of its own copy of this one, which means the same. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'StorageError' && 'kind' in value && typeof value.kind === 'string';
  }

  static isNotFound(error: unknown): boolean {
    return error instanceof StorageError && error.kind === 'not-found';
  }
}

/** The value, or undefined when the object is absent; trouble stays trouble. */
export async function orAbsent<T>(value: Promise<T>): Promise<T | undefined> {
  try {
    return await value;
  } catch (error) {
    if (StorageError.isNotFound(error)) return undefined;
    throw error;
  }
}
