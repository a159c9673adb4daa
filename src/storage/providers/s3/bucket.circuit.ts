import type { S3Client } from '@aws-sdk/client-s3';
import { StorageError } from '../../storage-error.js';
import { codeOf, isResponse, isOutage } from './s3-errors.js';

/** Reads that have to fail one after the other. */
const threshold = 5;

export interface CircuitTuning {
  /** Milliseconds that no read has to succeed for, besides: shorter trouble is bridged by repeating. */
  readonly outage: number;
  /** Milliseconds before the first probe; doubled each time, up to `longestRest`. */
  readonly rest: number;
  readonly longestRest: number;
}

/** Told when the circuit opens, and when it closes. */
export interface CircuitListener {
  onOpen(reason: string): void;
  onClose(milliseconds: number): void;
}

/**
 * Remembers that the bucket is out of order, so that nobody waits for what will fail. While it is open, probes of its own
 * ask the bucket, one at a time; no client waits for them. Only reads count: a bucket that takes no writes, because it is
 * full for example, can still be read.
 */
export class BucketCircuit {
  private failures = 0;
  /** When the first of the failed reads began, on the monotonic clock. */
  private since = 0;
  private rests = 0;
  private reason: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  /** @param probe a request that a sound bucket answers, whatever the answer is. */
  constructor(
    private readonly tuning: CircuitTuning,
    private readonly probe: () => Promise<unknown>,
    private readonly listener: CircuitListener,
  ) {}

  get isOpen(): boolean {
    return this.reason !== undefined;
  }

  /** @throws StorageError `failed` while the bucket is out of order. */
  check(): void {
    if (this.reason === undefined) return;
    const seconds = Math.round((performance.now() - this.since) / 1000);
    throw new StorageError('failed', `the storage has been failing for ${seconds} s (${this.reason})`);
  }

  /** A read was answered. One that was under way when the circuit opened tells nothing new. */
  succeed(): void {
    if (this.isOpen) return;
    this.failures = 0;
    this.rests = 0;
  }

  /** A read was not answered, by the fault of the bucket or the way to it. @param began on the monotonic clock */
  fail(began: number, error: unknown): void {
    if (this.isOpen || this.isClosed) return;
    this.since = this.failures === 0 ? began : Math.min(this.since, began);
    this.failures += 1;
    if (this.failures < threshold || performance.now() - this.since < this.tuning.outage) return;
    this.reason = codeOf(error);
    this.listener.onOpen(this.reason);
    this.plan();
  }

  /** Asks no more. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  private plan(): void {
    if (this.isClosed) return;
    const pause = Math.min(this.tuning.rest * 2 ** this.rests, this.tuning.longestRest);
    this.rests += 1;
    this.timer = setTimeout(() => void this.ask(), pause).unref();
  }

  private async ask(): Promise<void> {
    try {
      await this.probe();
    } catch (error) {
      if (isOutage(error)) {
        this.reason = codeOf(error);
        this.plan();
        return;
      }
    }
    if (this.isClosed) return;
    this.reason = undefined;
    // Until a read has succeeded as well, the first that fails opens it again.
    this.failures = threshold - 1;
    this.listener.onClose(performance.now() - this.since);
  }
}

/** Lets the circuit see every try of a client's commands, and end those it knows to be in vain. */
export function guard(client: S3Client, circuit: BucketCircuit, isGuarded: (command: string) => boolean): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { commandName = '' } = context as { commandName?: string };
      if (!isGuarded(commandName)) return next(args);
      circuit.check();
      if (!/^(Get|Head|List)/.test(commandName)) return next(args);
      const began = performance.now();
      try {
        const response = await next(args);
        circuit.succeed();
        return response;
      } catch (error) {
        if (isOutage(error)) circuit.fail(began, error);
        else if (isResponse(error)) circuit.succeed();
        throw error;
      }
    },
    // Inside of the client's repetitions, outside of what makes an error of an answer.
    { step: 'deserialize', priority: 'high', name: 'bucketCircuit' },
  );
}
