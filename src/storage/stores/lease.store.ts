import type { ClusterKey } from '../../config/values/cluster-key.js';
import { parseOrigin } from '../../config/values/origin.js';
import { keys } from '../keys.js';
import { parseRecord } from './record.store.js';
import { StorageError } from '../storage-error.js';
import type { StorageProvider } from '../storage.provider.js';

/** Largest lease in bytes; written ones have a few hundred. */
const maxLeaseBytes = 4 * 1024;
const maxText = 2 * 1024;
const version = 1;
/** The keys that `keys.lease` makes; foreign files are never removed. */
const leaseKey = /^leases\/(?:sha256|sha512|tags|manifests)\/[0-9a-f]{2}\/[0-9a-f]+(?:-[0-9a-f]{32})?-\d{8}$/;

/** The exclusive right of one replica to do something for all replicas until it expires. */
export interface Lease {
  /** Subject of the lease, as given by `keys.blobLeases`, `tagLeases` or `manifestLeases`. */
  readonly leases: string;
  /** The highest epoch is the valid one. */
  readonly epoch: number;
  /** Id of the holding process. */
  readonly holder: string;
  /** Origin at which other replicas reach the holder. */
  readonly url: string;
  /** On the holder's clock, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The newest epoch, 0 when there is none. The lease is undefined when it is missing or invalid. */
export interface NewestLease {
  readonly epoch: number;
  readonly lease: Lease | undefined;
}

/**
 * Leases based on `StorageProvider.create` alone, since few storages can compare and swap. Each epoch is a separate
 * object, and only the replica that created it overwrites it. Damaged, foreign and newer objects are not leases, and neither are those
 * that lack the cluster's signature: whoever can write the storage could otherwise choose where replicas send requests.
 */
export class LeaseStore {
  /** @param key signs leases, and accepts only signed ones. */
  constructor(
    private readonly provider: StorageProvider,
    private readonly key?: ClusterKey,
  ) {}

  /** Whether the storage supports exclusive creation. */
  get isExclusive(): boolean {
    return this.provider.isExclusive;
  }

  /** @param seen an epoch that is known to exist although a listing may not show it yet. */
  async findNewest(leases: string, seen = 0): Promise<NewestLease> {
    const epoch = Math.max(seen, ...(await this.epochs(leases)));
    return { epoch, lease: epoch === 0 ? undefined : await this.find(leases, epoch) };
  }

  async find(leases: string, epoch: number): Promise<Lease | undefined> {
    try {
      return parseLease(leases, epoch, await this.provider.read(keys.lease(leases, epoch), maxLeaseBytes), this.key);
    } catch (error) {
      const isNone = error instanceof StorageError && ['not-found', 'too-large', 'damaged'].includes(error.kind);
      if (isNone) return undefined;
      throw error;
    }
  }

  /** Returns whether the lease was created; false when another replica was first. */
  create(lease: Lease): Promise<boolean> {
    return this.provider.create(keys.lease(lease.leases, lease.epoch), contentOf(lease, this.key));
  }

  /** Replaces a lease; reserved to its holder. */
  renew(lease: Lease): Promise<void> {
    return this.provider.write(keys.lease(lease.leases, lease.epoch), contentOf(lease, this.key));
  }

  /** Removes a lease after the older epochs, which would otherwise become valid again. */
  async release({ leases, epoch }: Lease): Promise<void> {
    for (const older of await this.epochs(leases)) {
      if (older < epoch) await this.provider.delete(keys.lease(leases, older));
    }
    await this.provider.delete(keys.lease(leases, epoch));
  }

  /** Removes leases that have not been renewed for `age` milliseconds; returns how many. */
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

function contentOf(lease: Lease, key: ClusterKey | undefined): Buffer {
  const { holder, url, expiresAt } = lease;
  const signature = key?.sign('lease', fieldsOf(lease));
  return Buffer.from(JSON.stringify({ version, holder, url, expiresAt, ...(key && { signature }) }));
}

function parseLease(leases: string, epoch: number, content: Buffer, key: ClusterKey | undefined): Lease | undefined {
  const fields = parseRecord(content);
  if (fields?.version !== version) return undefined;
  const { holder, url, expiresAt, signature } = fields;
  if (typeof holder !== 'string' || typeof url !== 'string' || typeof expiresAt !== 'number') return undefined;
  if (holder.length === 0 || holder.length > maxText || !Number.isFinite(expiresAt)) return undefined;
  if (key?.verify('lease', fieldsOf({ leases, epoch, holder, url, expiresAt }), signature) === false) return undefined;
  const origin = parseOrigin(url);
  return origin === undefined ? undefined : { leases, epoch, holder, url: origin, expiresAt };
}

/** Everything that a signature covers; a lease cannot be copied to another subject or epoch. */
function fieldsOf({ leases, epoch, holder, url, expiresAt }: Lease): readonly (string | number)[] {
  return [version, leases, epoch, holder, url, expiresAt];
}
