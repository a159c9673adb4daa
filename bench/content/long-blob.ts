import { createHash } from 'node:crypto';
import { keystreamOf } from './bytes.js';

/** A blob that is made anew, piece by piece, whenever its bytes are needed. */
export interface LongBlob {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly seed: string;
}

const pieceSize = 1024 * 1024;

export function longBlob(size: number, seed: string): LongBlob {
  const hash = createHash('sha256');
  for (const piece of piecesOf({ size, seed })) hash.update(piece);
  return { digest: `sha256:${hash.digest('hex')}`, size, seed };
}

export function* piecesOf({ size, seed }: Pick<LongBlob, 'size' | 'seed'>): Generator<Buffer> {
  const stream = keystreamOf(seed);
  for (let made = 0; made < size; made += pieceSize) {
    yield stream.update(Buffer.alloc(Math.min(pieceSize, size - made)));
  }
}
