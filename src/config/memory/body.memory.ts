import { Waiters, type Waiter } from './waiters.js';

/** Part of the budget that one owner may hold, and part that is kept for small bodies. */
const ownerShare = 1 / 2;
const smallShare = 1 / 8;
/** Bytes of a small body. */
const smallSize = 64 * 1024;
/** Milliseconds to wait for memory, and bodies that may wait: of one owner, and of all. */
const patience = 10_000;
const maxWaiting = 1_024;
/** Milliseconds between two looks for holders to cut while somebody waits. */
const lookInterval = 250;
/** Milliseconds after which a holder is judged by its rate, and in which a body has to get through at that rate. */
const grace = 2_000;
const slowest = 30_000;

/** A holder's part in a body in memory. The caller releases it. */
export interface Hold {
  /** So many bytes more of it have arrived, or left. */
  progress(bytes: number): void;
  /** All of it is here: from now on the holder waits for nobody. */
  complete(): void;
  /** Keeps it until everybody who waits for the body now has had the chance to hold it, too. */
  handOver(): void;
  release(): void;
}

/** Bytes of one body, which any number of holders share. */
interface Claim {
  readonly owner: string;
  readonly bytes: number;
  readonly holders: Set<Holder>;
}

/**
 * The budget of all bodies that are held in memory whole: received from upstreams, read from the storage, or being sent
 * to clients. Those who find no room wait in turn by owner, an upstream or the clients, for up to 10 s; meanwhile holders
 * that make less progress than would finish in 30 s are cut. A body counts once, however many hold it.
 */
export class BodyMemory {
  private readonly claims = new Set<Claim>();
  private readonly claimOf = new WeakMap<Uint8Array, Claim>();
  private readonly arriving = new WeakMap<Uint8Array, Promise<Claim | undefined>>();
  private readonly heldBy = new Map<string, number>();
  private readonly waiters = new Waiters(maxWaiting);
  private total = 0;
  private watch: NodeJS.Timeout | undefined;

  /** @param limit bytes; at least four times those of the largest body. */
  constructor(readonly limit: number) {}

  /** Bytes held. */
  get size(): number {
    return this.total;
  }

  /** Bodies that wait for room. */
  get waiting(): number {
    return this.waiters.count;
  }

  /**
   * Room for a body that is to come.
   * @param cut ends what the holder waits for, so that it releases the hold; called when others need the room.
   * @returns undefined when there was none in time, or too many wait already.
   */
  async take(owner: string, bytes: number, cut: () => void): Promise<Hold | undefined> {
    const claim = await this.claim(owner, bytes);
    return claim && this.join(claim, cut);
  }

  /** Room for a body that is here already: it costs nothing when somebody else holds the same one. */
  async hold(owner: string, body: Uint8Array, cut: () => void): Promise<Hold | undefined> {
    const known = this.claimOf.get(body);
    if (known && known.holders.size > 0) return this.join(known, cut);
    const arriving = this.arriving.get(body) ?? this.claim(owner, body.length);
    this.arriving.set(body, arriving);
    const claim = await arriving;
    this.arriving.delete(body);
    if (!claim) return undefined;
    this.claimOf.set(body, claim);
    return this.join(claim, cut);
  }

  /** Says which bytes a hold was taken for, so that others who hold them share it. */
  bind(hold: Hold, body: Uint8Array): void {
    if (hold instanceof Holder) this.claimOf.set(body, hold.claim);
  }

  private join(claim: Claim, cut: () => void): Holder {
    const holder = new Holder(claim, cut, () => this.leave(claim));
    claim.holders.add(holder);
    return holder;
  }

  private leave(claim: Claim): void {
    if (claim.holders.size > 0 || !this.claims.delete(claim)) return;
    this.add(claim.owner, -claim.bytes);
    this.admit();
  }

  private async claim(owner: string, bytes: number): Promise<Claim | undefined> {
    if (this.waiters.count > 0 || !this.fits({ owner, bytes })) {
      this.startWatching();
      if (!(await this.waiters.wait({ owner, bytes }, patience))) return undefined;
    } else this.add(owner, bytes);
    const claim = { owner, bytes, holders: new Set<Holder>() };
    this.claims.add(claim);
    return claim;
  }

  /** Lets in whom there is room for; it is counted at once. */
  private admit(): void {
    this.waiters.admit((waiter) => {
      if (!this.fits(waiter)) return false;
      this.add(waiter.owner, waiter.bytes);
      return true;
    });
  }

  private fits({ owner, bytes }: Waiter): boolean {
    const limit = bytes <= smallSize ? this.limit : this.limit * (1 - smallShare);
    return this.total + bytes <= limit && (this.heldBy.get(owner) ?? 0) + bytes <= this.limit * ownerShare;
  }

  private add(owner: string, bytes: number): void {
    this.total += bytes;
    const held = (this.heldBy.get(owner) ?? 0) + bytes;
    if (held > 0) this.heldBy.set(owner, held);
    else this.heldBy.delete(owner);
  }

  private startWatching(): void {
    this.watch ??= setInterval(() => {
      this.admit();
      if (this.waiters.count > 0) this.cutSlow(performance.now());
      else {
        clearInterval(this.watch);
        this.watch = undefined;
      }
    }, lookInterval).unref();
  }

  /** The owners that hold most come first, and no more are cut than those who wait need. */
  private cutSlow(now: number): void {
    const held = ({ owner }: Claim) => this.heldBy.get(owner) ?? 0;
    let wanted = this.waiters.bytes;
    for (const claim of [...this.claims].sort((a, b) => held(b) - held(a))) {
      if (wanted <= 0) return;
      const slow = [...claim.holders].filter((holder) => holder.isSlow(now));
      for (const holder of slow) holder.cutOff();
      if (slow.length > 0 && slow.length === claim.holders.size) wanted -= claim.bytes;
    }
  }
}

class Holder implements Hold {
  private left: number;
  private since = performance.now();
  private sinceThen = 0;
  private isCut = false;

  constructor(
    readonly claim: Claim,
    private readonly cut: () => void,
    private readonly leave: () => void,
  ) {
    this.left = claim.bytes;
  }

  progress(bytes: number): void {
    this.left -= bytes;
    this.sinceThen += bytes;
  }

  complete(): void {
    this.left = 0;
  }

  handOver(): void {
    setImmediate(() => this.release());
  }

  release(): void {
    if (this.claim.holders.delete(this)) this.leave();
  }

  /** Whether it has had less since the last look than gets it through in time. */
  isSlow(now: number): boolean {
    if (this.left <= 0 || now - this.since < grace) return this.isCut;
    if (this.sinceThen / (now - this.since) < this.claim.bytes / slowest) return true;
    this.since = now;
    this.sinceThen = 0;
    return this.isCut;
  }

  cutOff(): void {
    if (this.isCut) return;
    this.isCut = true;
    this.cut();
  }
}
