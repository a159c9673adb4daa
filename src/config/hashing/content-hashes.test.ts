import { expect, it } from 'vitest';
import { ContentHashes } from './content-hashes.js';
import { hashHere } from './content-hash.js';

const mebibyte = 1024 * 1024;

/** What is started in a thread is noted. */
function make(isSpare: boolean, start: (algorithm: string) => ReturnType<typeof hashHere> = hashHere) {
  const started: string[] = [];
  const thread = {
    start: (algorithm: string) => {
      started.push(algorithm);
      return start(algorithm);
    },
    close: () => Promise.resolve(),
  };
  return { hashes: new ContentHashes(1, isSpare, thread), started };
}

it.each([
  ['large content', true, 8 * mebibyte, ['sha512']],
  ['smaller content', true, 8 * mebibyte - 1, []],
  ['content of unknown size', true, undefined, []],
  ['large content without a core for it', false, 800 * mebibyte, []],
] as const)('gives %s to the thread: %s %s %j', (_, isSpare, size, wanted) => {
  const { hashes, started } = make(isSpare);
  hashes.start('sha512', size);
  expect(started).toEqual(wanted);
});

it('hashes in the thread of the caller when there cannot be another one', async () => {
  const { hashes } = make(true, () => {
    throw new Error('no thread');
  });
  const hash = hashes.start('sha256', 9 * mebibyte);
  expect(await hash.digest()).toBe(await hashHere('sha256').digest());
});
