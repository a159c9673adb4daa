import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { FairQueue } from '../health/fair.queue.js';

/** Milliseconds to wait for a free slot, and to wait for the result from then on. */
const slotDeadline = 5_000;
const lookupDeadline = 5_000;
/** Longest time in milliseconds that a limited lookup may take. */
export const longestLookup = slotDeadline + lookupDeadline;

/** No lookup slot became free in time, which says nothing about the host. */
export class LookupLimitError extends Error {
  override readonly name = 'LookupLimitError';
  readonly code = 'ERR_LOOKUP_LIMIT';
}

interface Lookup {
  readonly slot: Promise<void>;
  readonly addresses: Promise<LookupAddress[]>;
}

/** Bounds concurrent lookups, shares those of one name, and gives up on silent ones. */
export class LookupLimiter {
  private readonly queue: FairQueue;
  private readonly running = new Map<string, Lookup>();

  /** @param slots maximum number of concurrent lookups; a silent one holds its slot until it has really ended. */
  constructor(
    private readonly underlying: LookupFunction,
    slots: number,
  ) {
    this.queue = new FairQueue(slots);
  }

  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.find(hostname, options).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true) callback(null, addresses);
        else if (first) callback(null, first.address, first.family);
        else callback(Object.assign(new Error('the host has no address'), { code: 'ENOTFOUND' }), '');
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, ''),
    );
  };

  private async find(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`;
    const { slot, addresses } = this.running.get(key) ?? this.start(key, hostname, options);
    await slot;
    return inTime(addresses, hostname);
  }

  private start(key: string, hostname: string, options: LookupOptions): Lookup {
    const slot = this.enter();
    const addresses = slot
      .then((release) => this.ask(hostname, options).finally(release))
      .finally(() => this.running.delete(key));
    // Callers that gave up in time no longer listen.
    addresses.catch(() => undefined);
    const started = { slot: slot.then(() => undefined), addresses };
    this.running.set(key, started);
    return started;
  }

  private async enter(): Promise<() => void> {
    const release = await this.queue.enter('', slotDeadline);
    if (!release) throw new LookupLimitError('too many lookups in flight');
    return release;
  }

  private ask(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
    return new Promise((resolve, reject) => {
      this.underlying(hostname, { ...options, all: true }, (error, found) => {
        if (error) reject(error);
        else resolve(Array.isArray(found) ? found : []);
      });
    });
  }
}

async function inTime<T>(result: Promise<T>, hostname: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error(`${hostname} could not be resolved in time`), { code: 'ETIMEOUT' });
    timer = setTimeout(() => reject(error), lookupDeadline);
  });
  return Promise.race([result, late]).finally(() => clearTimeout(timer));
}
