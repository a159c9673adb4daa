import { createHash, type Hash } from 'node:crypto';
import { OciError } from './error.js';

export type DigestAlgorithm = 'sha256' | 'sha512';

/** Length of the hexadecimal part; the image specification registers these two algorithms. */
const hexLength: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 };
const isAlgorithm = (text: string): text is DigestAlgorithm => Object.hasOwn(hexLength, text);

/** A content address, `algorithm:hex`, always well-formed. */
export class Digest {
  private constructor(
    readonly algorithm: DigestAlgorithm,
    readonly hex: string,
  ) {}

  /**
   * @throws OciError DIGEST_INVALID unless the text is `sha256:` or `sha512:` followed by the algorithm's exact number of
   * lower-case hexadecimal digits (image specification, "Digests"). Digests become file paths.
   */
  static parse(text: string): Digest {
    const digest = Digest.find(text);
    if (!digest) throw new OciError('DIGEST_INVALID');
    return digest;
  }

  static find(text: string): Digest | undefined {
    const [algorithm = '', hex = '', rest] = text.length <= 140 ? text.split(':') : [];
    if (rest !== undefined || !isAlgorithm(algorithm)) return undefined;
    return hex.length === hexLength[algorithm] && /^[0-9a-f]+$/.test(hex) ? new Digest(algorithm, hex) : undefined;
  }

  static of(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
    return new Digest(algorithm, createHash(algorithm).update(content).digest('hex'));
  }

  hasher(): Hash {
    return createHash(this.algorithm);
  }

  /** Whether the hash's current value is this digest; the hash stays usable. */
  matches(hash: Hash): boolean {
    return hash.copy().digest('hex') === this.hex;
  }

  /** Whether it is the digest of content without bytes. */
  get isOfNothing(): boolean {
    return this.matches(this.hasher());
  }

  equals(other: Digest): boolean {
    return this.hex === other.hex && this.algorithm === other.algorithm;
  }

  toString(): string {
    return `${this.algorithm}:${this.hex}`;
  }

  toJSON(): string {
    return this.toString();
  }
}
