import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { ServerSettings } from '../../../config/server.settings.js';
import { Digest } from '../../../oci/digest.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { ContentStore } from '../../../storage/stores/content.store.js';
import { keys } from '../../../storage/keys.js';
import { LeaseStore, type Lease } from '../../../storage/stores/lease.store.js';
import { MemoryProvider } from '../../../storage/providers/memory/memory.provider.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import type { PeerClient } from '../../../upstream/transport/peer.client.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { ReplicasService } from './replicas.service.js';
import { ReplicatedSource, StoredMeanwhileError } from './replicated.source.js';

const content = Buffer.from('shared content');
const digest = Digest.of(content);
const repository = RepositoryRef.of(Namespace.parse('registry.test'), 'team/app');
const origin = 'registry.test https://registry.test';
const leases = keys.blobLeases(origin, digest);
const body: BlobBody = {
  offset: 0,
  size: content.length,
  entityTag: undefined,
  body: new IncomingMessage(new Socket()),
  host: 'registry.test',
  counts: { received: 0 },
};

let clock: HandClock;
let provider: MemoryProvider;
let store: LeaseStore;
/** Runs while another replica is being asked, before it proves unreachable. */
let meanwhile: (url: string) => Promise<void>;
/** Runs just before this replica tries to take a lease. */
let beforeTaking: (epoch: number) => Promise<void>;
/** Who was asked for the content. */
let asked: string[];
/** Whether content that is stored may be served. */
let isUsable: boolean;
let source: ReplicatedSource;

const leaseOf = (name: string, epoch: number): Lease => ({
  leases,
  epoch,
  holder: name,
  url: `http://${name}.test`,
  expiresAt: clock.now() + 10_000,
});

async function finish(lease: Lease): Promise<void> {
  await provider.write(keys.content(digest), content);
  await store.release(lease);
}

beforeEach(() => {
  clock = new HandClock();
  provider = new MemoryProvider();
  store = new LeaseStore(provider);
  asked = [];
  isUsable = true;
  meanwhile = beforeTaking = () => Promise.resolve();
  const peers = {
    async openBlob({ url }: { readonly url: string }): Promise<never> {
      asked.push(url);
      await meanwhile(url);
      throw new UpstreamError('unavailable', 'the replica cannot be reached');
    },
  };
  class Replicas extends ReplicasService {
    override async take(...[which, epoch, lifetime]: Parameters<ReplicasService['take']>) {
      await beforeTaking(epoch);
      return super.take(which, epoch, lifetime);
    }
  }
  const settings = Object.assign(new ServerSettings(), { advertiseUrl: 'http://self.test' });
  const replicas = new Replicas(store, peers as unknown as PeerClient, settings, clock);
  const upstream = () => {
    asked.push('upstream');
    return Promise.resolve(body);
  };
  source = new ReplicatedSource(replicas, new ContentStore(provider), {
    origin,
    repository,
    digest,
    upstream,
    isUsable: () => Promise.resolve(isUsable),
    requester: 'client',
  });
});

describe('a holder that was tried in vain', () => {
  it('may have finished meanwhile: then nothing is downloaded', async () => {
    await store.create(leaseOf('first', 1));
    meanwhile = () => finish(leaseOf('first', 1));
    await expect(source.open()).rejects.toBeInstanceOf(StoredMeanwhileError);
    expect(asked).toEqual(['http://first.test']);
    await source.close();
  });

  it('may have been followed by another who finished, before a lease could be taken', async () => {
    await store.create(leaseOf('first', 1));
    beforeTaking = async (epoch) => {
      if (epoch !== 2) return;
      // Another replica is faster.
      await store.create(leaseOf('second', 2));
    };
    const find = provider.list.bind(provider);
    provider.list = async function* (prefix) {
      // It finishes before this replica reads the newest epoch.
      if ((await store.find(leases, 2)) !== undefined) {
        provider.list = find;
        await finish(leaseOf('second', 2));
      }
      yield* find(prefix);
    };
    await expect(source.open()).rejects.toBeInstanceOf(StoredMeanwhileError);
    expect(asked).toEqual(['http://first.test']);
    await source.close();
  });

  it('is passed over when it has not: the upstream is asked, with a lease', async () => {
    await store.create(leaseOf('first', 1));
    expect(await source.open()).toBe(body);
    expect(asked).toEqual(['http://first.test', 'upstream']);
    expect((await store.findNewest(leases)).epoch).toBe(2);
    await source.close();
    expect((await store.findNewest(leases)).epoch).toBe(0);
  });

  it('is no reason to end a download that has begun: the rest is asked for', async () => {
    await store.create(leaseOf('first', 1));
    meanwhile = () => finish(leaseOf('first', 1));
    expect(await source.open({ offset: 5, entityTag: undefined })).toBe(body);
    expect(asked).toEqual(['http://first.test', 'upstream']);
    await source.close();
  });
});

describe('content that is stored without a lease on it', () => {
  it('is not downloaded', async () => {
    await provider.write(keys.content(digest), content);
    await expect(source.open()).rejects.toBeInstanceOf(StoredMeanwhileError);
    expect(asked).toEqual([]);
    await source.close();
  });
});
