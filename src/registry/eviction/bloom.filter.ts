import { randomBytes } from 'node:crypto';
import type { Digest } from '../../oci/digest.js';

const hashes = 5;
/** Bits per expected digest: about 1 % false positives. */
const bitsPerDigest = 10;
const leastBits = 2 ** 20;
/** 16 MiB: enough for ten million digests. */
const mostBits = 2 ** 27;

/**
 * A set of digests in a fixed number of bytes. It has no false negatives. Its false positives differ from filter to
 * filter, because each has its own random seeds.
 */
export class BloomFilter {
  private readonly bits: Uint8Array;
  private readonly mask: number;
  private readonly seeds = new Uint32Array(new Uint8Array(randomBytes(8)).buffer);

  /** @param expected number of digests; adding more increases the false positive rate. */
  constructor(expected: number) {
    const wanted = Math.min(mostBits, Math.max(leastBits, expected * bitsPerDigest));
    const size = 2 ** Math.ceil(Math.log2(wanted));
    this.bits = new Uint8Array(size / 8);
    this.mask = size - 1;
  }

  add(digest: Digest): void {
    const { start, step } = this.hash(digest);
    for (let round = 0; round < hashes; round += 1) {
      const bit = (start + Math.imul(round, step)) & this.mask;
      this.bits[bit >>> 3] = (this.bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
    }
  }

  has(digest: Digest): boolean {
    const { start, step } = this.hash(digest);
    for (let round = 0; round < hashes; round += 1) {
      const bit = (start + Math.imul(round, step)) & this.mask;
      if (((this.bits[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }

  /** A digest is already uniformly distributed; the seeds only make filters differ. */
  private hash({ hex }: Digest): { start: number; step: number } {
    const [first = 0, second = 0] = this.seeds;
    return {
      start: mix(Number.parseInt(hex.slice(0, 8), 16) ^ first),
      step: mix(Number.parseInt(hex.slice(8, 16), 16) ^ second) | 1,
    };
  }
}

/** The finalizer of MurmurHash3: each input bit flips half of the output bits. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
