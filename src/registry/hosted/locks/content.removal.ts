import type { Digest } from '../../../oci/digest.js';
import { keys } from '../../../storage/keys.js';
import type { HeldLease, LeaseLock } from './lease.lock.js';

/** Milliseconds after which a lease is given back, since pushes of content in the same folder wait for it. */
const longest = 1_000;

/** What one sweep holds while it removes content: in this process each piece, and a lease of the folder it is in. */
export class ContentRemoval {
  private held: { readonly leases: string; readonly lease: HeldLease; readonly since: number } | undefined;

  /** @param removing content that is being removed in this process. @param shared with other processes */
  constructor(
    private readonly removing: Map<string, Promise<unknown>>,
    private readonly shared: LeaseLock | undefined,
  ) {}

  /**
   * @param action looks at the content once more, and removes it if there is time.
   * @throws OciError UNAVAILABLE when other processes hold the lease for too long; errors of the action
   */
  async run(digest: Digest, action: (hasTime: () => boolean) => Promise<boolean>): Promise<boolean> {
    const key = digest.toString();
    const running = this.locked(digest, action);
    this.removing.set(key, running);
    try {
      return await running;
    } finally {
      this.removing.delete(key);
    }
  }

  /** To be called between two pieces: gives back a lease that others may be waiting for. Never throws. */
  yield(): Promise<void> | undefined {
    return this.held && performance.now() - this.held.since > longest ? this.release() : undefined;
  }

  /** Never throws. */
  async release(): Promise<void> {
    const { held } = this;
    this.held = undefined;
    await held?.lease.release();
  }

  private async locked(digest: Digest, action: (hasTime: () => boolean) => Promise<boolean>): Promise<boolean> {
    if (!this.shared) return action(() => true);
    const leases = keys.contentLeases(digest);
    if (this.held?.leases !== leases) await this.release();
    else await this.yield();
    this.held ??= { leases, lease: await this.shared.take(leases), since: performance.now() };
    const { lease } = this.held;
    return action(() => lease.hasTime());
  }
}
