import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../config/clock/clock.js';
import { StorageProbe } from '../storage/storage.probe.js';

/** Milliseconds that a finding holds: however often it is asked, the storage is not written to more often. */
const holds = 5_000;
/** Milliseconds in which the storage has to take a small object. */
const deadline = 3_000;

/** Whether new requests should come here; upstreams have no say in it, since what is stored is served without them. */
export interface Readiness {
  readonly status: 'ready' | 'draining' | 'unavailable';
  readonly reason?: string;
}

/** Tells balancers whether to send requests to this process. */
@Injectable()
export class ReadinessService {
  private isDraining = false;
  private known: { readonly failure: string | undefined; readonly at: number } | undefined;
  private checking: Promise<void> | undefined;

  constructor(
    private readonly probe: StorageProbe,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** From now on no new requests are wanted, though those that come are served. */
  startDraining(): void {
    this.isDraining = true;
  }

  async check(): Promise<Readiness> {
    if (this.isDraining) return { status: 'draining' };
    const failure = await this.findFailure();
    return failure === undefined ? { status: 'ready' } : { status: 'unavailable', reason: `storage: ${failure}` };
  }

  private async findFailure(): Promise<string | undefined> {
    const { known } = this;
    if (known && this.clock.monotonic() - known.at < holds) return known.failure;
    // A storage that hangs is asked once, and everybody who waits for it gives up in time.
    this.checking ??= this.look().finally(() => (this.checking = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), deadline)));
    const first = await Promise.race([this.checking, late]).finally(() => clearTimeout(timer));
    return first === 'late' ? 'it does not answer' : this.known?.failure;
  }

  private async look(): Promise<void> {
    const failure = await this.probe.findFailure();
    this.known = { failure, at: this.clock.monotonic() };
  }
}
