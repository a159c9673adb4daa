import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../config/clock/clock.js';
import { StorageProbe } from '../storage/storage.probe.js';

/** Milliseconds that a result is reused, so that frequent probes do not cause frequent writes. */
const resultLifetime = 5_000;
/** Milliseconds within which the storage must write a small object. */
const deadline = 3_000;

/** Whether this process should receive new requests. Upstreams do not matter: stored content is served without them. */
export interface Readiness {
  readonly status: 'ready' | 'draining' | 'unavailable';
  /** Why it is not ready, or what it cannot do although it is. */
  readonly reason?: string;
}

type StorageFailure = Awaited<ReturnType<StorageProbe['findFailure']>>;

/** Readiness for load balancers. */
@Injectable()
export class ReadinessService {
  private draining = false;
  private known: { readonly failure: StorageFailure; readonly at: number } | undefined;
  private checking: Promise<void> | undefined;

  constructor(
    private readonly probe: StorageProbe,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Reports `draining` from now on. Requests that still arrive are served. */
  startDraining(): void {
    this.draining = true;
  }

  /** Whether this process is about to end: nothing that takes long should begin or go on. */
  get isDraining(): boolean {
    return this.draining;
  }

  async check(): Promise<Readiness> {
    if (this.draining) return { status: 'draining' };
    const failure = await this.findFailure();
    if (failure === undefined) return { status: 'ready' };
    return { status: failure.isUsable ? 'ready' : 'unavailable', reason: `storage: ${failure.reason}` };
  }

  private async findFailure(): Promise<StorageFailure> {
    const { known } = this;
    if (known && this.clock.monotonic() - known.at < resultLifetime) return known.failure;
    // One probe at a time, also while the storage hangs; each caller gives up at its deadline.
    this.checking ??= this.probeOnce().finally(() => (this.checking = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), deadline)));
    const first = await Promise.race([this.checking, late]).finally(() => clearTimeout(timer));
    return first === 'late' ? { reason: 'no response', isUsable: false } : this.known?.failure;
  }

  private async probeOnce(): Promise<void> {
    const failure = await this.probe.findFailure();
    this.known = { failure, at: this.clock.monotonic() };
  }
}
