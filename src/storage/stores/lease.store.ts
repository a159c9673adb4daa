import { keys } from '../keys.js';
import { parseRecord } from './record.store.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/** Bytes of a lease; the ones we write have a few hundred. */
const maxLeaseBytes = 4 * 1024;
const maxText = 2 * 1024;
const version = 1;
/** What `keys.lease` gives: other files are not ours to remove. */
const leaseKey = /^leases\/(?:sha256|sha512|tags|manifests)\/[0-9a-f]{2}\/[0-9a-f]+-\d{8}$/;

/** Who does something for all replicas, until when. */
export interface Lease {
  /** What it is about: `keys.blobLeases`, `tagLeases` or `manifestLeases`. */
  readonly leases: string;
  /** The highest one counts. */
  readonly epoch: number;
  /** A process. */
  readonly holder: string;
  /** Where other replicas reach the holder. */
  readonly url: string;
  /** On the holder's clock, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The newest epoch of something: 0 when there is none. Its lease is undefined when nobody can read it. */
export interface NewestLease {
  readonly epoch: number;
  readonly lease: Lease | undefined;
}

/**
 * Leases on `StorageProvider.create` alone, since few storages can compare and swap: each epoch is an object of its own
 * that one replica made, and only its maker writes it again. What is damaged, foreign or newer is no lease.
 */
export class LeaseStore {
  constructor(private readonly provider: StorageProvider) {}

  /** Whether the storage can tell who was first. */
  get isExclusive(): boolean {
    return this.provider.isExclusive;
  }

  /** @param least an epoch that has been seen, which a listing may not show yet. */
  async findNewest(leases: string, least = 0): Promise<NewestLease> {
    const epoch = Math.max(least, ...(await this.epochs(leases)));
    return { epoch, lease: epoch === 0 ? undefined : await this.find(leases, epoch) };
  }

  async find(leases: string, epoch: number): Promise<Lease | undefined> {
    try {
      return parseLease(leases, epoch, await this.provider.read(keys.lease(leases, epoch), maxLeaseBytes));
    } catch (error) {
      const isNone = error instanceof StorageError && ['not-found', 'too-large', 'damaged'].includes(error.kind);
      if (isNone) return undefined;
      throw error;
    }
  }

  /** Whether it is ours: somebody else may have been first. */
  create(lease: Lease): Promise<boolean> {
    return this.provider.create(keys.lease(lease.leases, lease.epoch), contentOf(lease));
  }

  /** Replaces a lease. Only its holder may. */
  renew(lease: Lease): Promise<void> {
    return this.provider.write(keys.lease(lease.leases, lease.epoch), contentOf(lease));
  }

  /** Removes a lease, and before it the older ones, which would count again without it. */
  async release({ leases, epoch }: Lease): Promise<void> {
    for (const older of await this.epochs(leases)) {
      if (older < epoch) await this.provider.delete(keys.lease(leases, older));
    }
    await this.provider.delete(keys.lease(leases, epoch));
  }

  /** Removes leases that nobody has renewed for `age` milliseconds; returns how many. */
  async sweep(age: number): Promise<number> {
    const oldest = Date.now() - age;
    let swept = 0;
    for await (const { key, usedAt } of this.provider.list('leases')) {
      if (usedAt.getTime() >= oldest || !leaseKey.test(key)) continue;
      await this.provider.delete(key);
      swept += 1;
    }
    return swept;
  }

  private async epochs(leases: string): Promise<number[]> {
    const epochs: number[] = [];
    for await (const { key } of this.provider.list(leases.slice(0, leases.lastIndexOf('/')))) {
      const [, epoch] = key.startsWith(leases) ? (/^-(\d{8})$/.exec(key.slice(leases.length)) ?? []) : [];
      if (epoch !== undefined) epochs.push(Number(epoch));
    }
    return epochs;
  }
}

function contentOf({ holder, url, expiresAt }: Lease): Buffer {
  return Buffer.from(JSON.stringify({ version, holder, url, expiresAt }));
}

function parseLease(leases: string, epoch: number, content: Buffer): Lease | undefined {
  const fields = parseRecord(content);
  if (fields?.version !== version) return undefined;
  const { holder, url, expiresAt } = fields;
  if (typeof holder !== 'string' || typeof url !== 'string' || typeof expiresAt !== 'number') return undefined;
  const isSane = holder.length > 0 && holder.length <= maxText && Number.isFinite(expiresAt) && isPeerUrl(url);
  return isSane ? { leases, epoch, holder, url, expiresAt } : undefined;
}

function isPeerUrl(url: string): boolean {
  if (url.length > maxText || !/^https?:\/\//.test(url) || !URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
