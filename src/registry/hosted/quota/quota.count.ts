import type { Digest } from '../../../oci/digest.js';
import type { RepositoryPattern } from '../../../oci/patterns/repository-pattern.js';

/** What some repositories may hold together, and what they hold: each digest counts once. */
export class QuotaCount {
  /** Sizes by digest, of what is recorded. About 60 bytes of memory each. */
  private recorded = new Map<string, number>();
  /** What pushes are about to record. */
  private readonly claims = new Map<string, { readonly size: number; holders: number }>();
  /** Of the count that is running. */
  private fresh: Map<string, number> | undefined;
  private bytes = 0;

  /**
   * @param pattern of the repositories. @param repositories its name for people.
   * @param limit in bytes.
   */
  constructor(
    readonly pattern: RepositoryPattern,
    readonly repositories: string,
    public limit: number,
  ) {}

  /** In bytes, with what is being recorded. */
  get used(): number {
    return this.bytes;
  }

  /** @param digest undefined while it is unknown */
  fits(digest: Digest | undefined, bytes: number): boolean {
    if (digest && (this.recorded.has(keyOf(digest)) || this.claims.has(keyOf(digest)))) return true;
    return this.bytes + bytes <= this.limit;
  }

  /** Counts what is about to be recorded. */
  claim(digest: Digest, size: number): void {
    const key = keyOf(digest);
    const claim = this.claims.get(key) ?? { size, holders: 0 };
    claim.holders += 1;
    this.claims.set(key, claim);
    if (claim.holders === 1 && !this.recorded.has(key)) this.bytes += size;
  }

  /** Ends a claim. @param isRecorded otherwise it counts no longer */
  settle(digest: Digest, isRecorded: boolean): void {
    const key = keyOf(digest);
    const claim = this.claims.get(key);
    if (!claim) return;
    if (isRecorded) {
      // Its size is in the total since it was claimed.
      this.recorded.set(key, claim.size);
      // The running count may have passed its place already.
      this.fresh?.set(key, claim.size);
    }
    claim.holders -= 1;
    if (claim.holders > 0) return;
    this.claims.delete(key);
    if (!this.recorded.has(key)) this.bytes -= claim.size;
  }

  /** Begins a new count. */
  begin(): void {
    this.fresh = new Map();
  }

  /** Whether the running count has to be told the size of a digest. */
  lacks(digest: Digest): boolean {
    const key = keyOf(digest);
    const known = this.recorded.get(key);
    if (known !== undefined) this.fresh?.set(key, known);
    return this.fresh?.has(key) === false;
  }

  count(digest: Digest, size: number): void {
    this.fresh?.set(keyOf(digest), size);
  }

  /** Replaces the count by the one that has just ended. @param isWhole otherwise everything stays as it was */
  end(isWhole: boolean): void {
    const { fresh } = this;
    this.fresh = undefined;
    if (!fresh || !isWhole) return;
    this.recorded = fresh;
    this.bytes = 0;
    for (const size of fresh.values()) this.bytes += size;
    for (const [key, { size }] of this.claims) if (!fresh.has(key)) this.bytes += size;
  }
}

/** Half of a digest is enough to tell it from others, and takes little memory. */
function keyOf({ hex }: Digest): string {
  return Buffer.from(hex.slice(0, 32), 'hex').toString('latin1');
}
