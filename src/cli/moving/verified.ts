import type { Digest } from '../../oci/digest.js';
import { MoveError } from './move-error.js';

/** Passes content on while it is verified. @throws MoveError after the last byte, or as soon as there are too many */
export async function* verified(
  chunks: AsyncIterable<Uint8Array>,
  digest: Digest,
  size: number,
): AsyncGenerator<Uint8Array> {
  const hash = digest.hasher();
  let count = 0;
  for await (const chunk of chunks) {
    count += chunk.length;
    if (count > size) throw new MoveError(`blob ${digest.toString()} has more than ${size} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (count < size) throw new MoveError(`blob ${digest.toString()} has ${count} bytes instead of ${size}`);
  if (!digest.matches(hash)) throw new MoveError(`blob ${digest.toString()} has other content than its digest says`);
}

/** Collects content of at most so many bytes. @throws MoveError when there is more */
export async function collect(chunks: AsyncIterable<Uint8Array>, limit: number, what: string): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    count += chunk.length;
    if (count > limit) throw new MoveError(`${what} has more than ${limit} bytes`);
    all.push(chunk);
  }
  return Buffer.concat(all);
}
