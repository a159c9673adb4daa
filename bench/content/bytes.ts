import { createCipheriv, createHash } from 'node:crypto';

export interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** Bytes that look random, do not compress, and are the same in every run: an AES keystream under the seed. */
export function blobOf(size: number, seed: string): Blob {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const bytes = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
  return { digest: digestOf(bytes), bytes };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
