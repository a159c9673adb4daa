import type { S3Client } from '@aws-sdk/client-s3';
import { StorageError } from '../../storage-error.js';
import { codeOf, isOutage, isResponse, isTimeout } from './s3-errors.js';
import { SilenceWatch } from './silence.watch.js';
import { makeStoppable } from './stoppable.handler.js';

/** Consecutive failed reads that open the circuit. */
const threshold = 5;

export interface CircuitTuning {
  /** Milliseconds without a successful read that are also required; retries bridge shorter failures. */
  readonly minOutage: number;
  /** Milliseconds without any response, while a request and a probe wait for one, that open the circuit. */
  readonly silence: number;
  /** Milliseconds before the first probe; doubled each time, up to `maxProbeDelay`. */
  readonly probeDelay: number;
  readonly maxProbeDelay: number;
}

/** Notified when the circuit opens and closes. */
export interface CircuitListener {
  onOpen(reason: string): void;
  onClose(milliseconds: number): void;
}

/** The reason while nothing responds. */
const silent = 'no response';

/**
 * Circuit breaker of the bucket. While it is open, requests fail at once and background probes test the bucket one at a
 * time. Only reads count: a bucket that accepts no writes, because it is full for example, can still be read. Silence
 * counts at once, and ends the requests that wait: only the bucket can close the circuit, never a probe that was given up.
 */
export class BucketCircuit {
  private failures = 0;
  /** Start of the first failed read on the monotonic clock. */
  private since = 0;
  private probes = 0;
  private reason: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private readonly watch: SilenceWatch;

  /** @param probe a request to which a working bucket responds, with whatever status. */
  constructor(
    private readonly tuning: CircuitTuning,
    private readonly probe: () => Promise<unknown>,
    private readonly listener: CircuitListener,
  ) {
    const ask = () => void this.probe().catch(() => undefined);
    this.watch = new SilenceWatch(tuning.silence, ask, (since) => this.open(since, silent));
  }

  /** Begins to watch for silence. A bucket that is slow at the start has the deadlines of the requests. */
  arm(): void {
    this.watch.arm();
  }

  /** Called for every response, whatever its status. */
  hear(): void {
    this.watch.hear();
  }

  /** Waits for a response unless the circuit opens. @throws StorageError `failed` when it does */
  wait<T>(response: Promise<T>, stop: (error: Error) => void): Promise<T> {
    return this.watch.wait(response, stop);
  }

  get isOpen(): boolean {
    return this.reason !== undefined;
  }

  /** @throws StorageError `failed` while the circuit is open. */
  check(): void {
    const failure = this.findFailure();
    if (failure) throw failure;
  }

  /** Called when a read received a response. Ignored while the circuit is open: the read began earlier. */
  succeed(): void {
    if (this.isOpen) return;
    this.failures = 0;
    this.probes = 0;
  }

  /** Called when a read failed because of the bucket or the network. @param began on the monotonic clock */
  fail(began: number, error: unknown): void {
    if (this.isOpen || this.isClosed) return;
    this.since = this.failures === 0 ? began : Math.min(this.since, began);
    this.failures += 1;
    if (this.failures < threshold || performance.now() - this.since < this.tuning.minOutage) return;
    this.open(this.since, codeOf(error));
  }

  /** Stops probing. */
  close(): void {
    this.isClosed = true;
    this.watch.close();
    clearTimeout(this.timer);
  }

  private open(since: number, reason: string): void {
    if (this.isOpen || this.isClosed) return;
    this.since = since;
    this.reason = reason;
    this.listener.onOpen(reason);
    this.scheduleProbe();
    const failure = this.findFailure();
    if (failure) this.watch.fail(failure);
  }

  private findFailure(): StorageError | undefined {
    if (this.reason === undefined) return undefined;
    const seconds = Math.round((performance.now() - this.since) / 1000);
    return new StorageError('failed', `the storage has been failing for ${seconds} s (${this.reason})`);
  }

  private scheduleProbe(): void {
    if (this.isClosed) return;
    const delay = Math.min(this.tuning.probeDelay * 2 ** this.probes, this.tuning.maxProbeDelay);
    this.probes += 1;
    this.timer = setTimeout(() => void this.runProbe(), delay).unref();
  }

  private async runProbe(): Promise<void> {
    const began = performance.now();
    try {
      await this.probe();
    } catch (error) {
      if (isOutage(error) || !isResponse(error)) {
        this.reason = isTimeout(error) ? silent : codeOf(error);
        this.scheduleProbe();
        return;
      }
    }
    if (this.isClosed) return;
    this.watch.allow(performance.now() - began);
    this.reason = undefined;
    // Until a read has succeeded, one failure opens the circuit again.
    this.failures = threshold - 1;
    this.listener.onClose(performance.now() - this.since);
  }
}

/** Reports every attempt of a client's commands to the circuit, and fails them when it opens and while it is open. */
export function guard(client: S3Client, circuit: BucketCircuit, isGuarded: (command: string) => boolean): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { commandName = '' } = context as { commandName?: string };
      if (!isGuarded(commandName)) return next(args);
      circuit.check();
      const stop = makeStoppable(args.request as object);
      const wait = () => circuit.wait(next(args), (error) => stop.abort(error));
      if (!/^(Get|Head|List)/.test(commandName)) return wait();
      const began = performance.now();
      try {
        const response = await wait();
        // Content may still fail to arrive.
        if (commandName !== 'GetObjectCommand') circuit.succeed();
        return response;
      } catch (error) {
        if (isOutage(error)) circuit.fail(began, error);
        else if (isResponse(error)) circuit.succeed();
        throw error;
      }
    },
    // Inside the client's retries, outside the middleware that turns responses into errors.
    { step: 'deserialize', priority: 'high', name: 'bucketCircuit' },
  );
}
