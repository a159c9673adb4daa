import { createCipheriv, createHash, type Cipher } from 'node:crypto';

export interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** Bytes that look random, do not compress, and are the same in every run: an AES keystream under the seed. */
export function blobOf(size: number, seed: string): Blob {
  const bytes = keystream(size, seed);
  return { digest: digestOf(bytes), bytes };
}

function keystream(size: number, seed: string): Buffer {
  return keystreamOf(seed).update(Buffer.alloc(size));
}

/** Turns zeros into what looks random, one piece after the other. */
export function keystreamOf(seed: string): Cipher {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
}

/** Bytes that a shifted blob begins later than the one before it. */
const shift = 64;

/** Blobs of one size that all differ, and share their memory: each begins a little later in the same bytes. */
export interface ShiftedBlobs {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
  readonly seed: string;
}

/** @param index from 0; lies in `sharedBytes` of the same blobs */
export function shiftedBytes({ size }: ShiftedBlobs, shared: Buffer, index: number): Buffer {
  return shared.subarray(index * shift, index * shift + size);
}

/** What the blobs are parts of. */
export function sharedBytes({ count, size, seed }: ShiftedBlobs): Buffer {
  return keystream(size + (count - 1) * shift, seed);
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
