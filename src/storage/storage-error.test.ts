import { describe, expect, it } from 'vitest';
import { isOutOfSpace, StorageError } from './storage-error.js';

const caused = (code: string) => new StorageError('full', 'the storage is full', Object.assign(new Error(), { code }));

describe('isOutOfSpace', () => {
  it.each([caused('ENOSPC'), caused('EDQUOT'), new StorageError('full', 'of a provider without codes')])(
    'is true where removing objects helps: %s',
    (error) => expect(isOutOfSpace(error)).toBe(true),
  );

  it.each([caused('EROFS'), caused('EFBIG'), new StorageError('failed', 'x'), new Error('ENOSPC'), undefined])(
    'is false elsewhere: %s',
    (error) => expect(isOutOfSpace(error)).toBe(false),
  );
});
