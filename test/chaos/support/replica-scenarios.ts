import { expect, it } from 'vitest';
import { Digest } from '../../../src/oci/digest.js';
import { keys } from '../../../src/storage/keys.js';
import { until as untilWithin } from '../../e2e/support/until.js';
import { makeBlob } from '../../fixtures/images.js';
import type { ClusterStorage } from './cluster-storage.js';
import { Cluster, freePort } from './cluster.js';
import { pullResuming } from './resuming-client.js';

const mebibyte = 1024 * 1024;
/** Milliseconds. */
const long = 180_000;

const until = (condition: () => boolean | Promise<boolean>, what: string) => untilWithin(what, condition, 60_000);

/** What replicas promise on any storage that can tell who was first. Each scenario asks for a storage of its own. */
export function replicaScenarios(makeStorage: () => Promise<ClusterStorage>): void {
  const crowd = (cluster: Cluster, blob: ReturnType<typeof makeBlob>, each: number, patience?: number) => {
    const urls = cluster.urlsOf(blob);
    const clients = Array.from({ length: each * urls.length }, (_, index) => index);
    return Promise.all(clients.map((index) => pullResuming(urls, blob.body, index, patience)));
  };
  const wrong = (outcomes: readonly { isRight: boolean }[]) => outcomes.filter(({ isRight }) => !isRight);

  it('3 replicas with 100 clients each cost one GET of a cold blob of 50 MB', { timeout: long }, async () => {
    await using cluster = await Cluster.start(makeStorage);
    const blob = makeBlob(50_000_000, 'crowd');
    cluster.registry.addBlob('app', blob);
    const outcomes = await crowd(cluster, blob, 100);
    expect(wrong(outcomes)).toEqual([]);
    expect(outcomes.filter(({ tries }) => tries > 1)).toEqual([]);
    expect(cluster.gets(blob)).toEqual(['whole']);
  });

  it('clients of every replica see first bytes while the upstream still sends', { timeout: long }, async () => {
    await using cluster = await Cluster.start(makeStorage);
    const blob = makeBlob(4 * mebibyte, 'slow');
    cluster.registry.addBlob('app', blob);
    cluster.registry.behaviour.bytesPerSecond = mebibyte;
    const outcomes = await crowd(cluster, blob, 3);
    expect(wrong(outcomes)).toEqual([]);
    for (const { firstByte } of outcomes) expect(firstByte).toBeLessThan(2_500);
    expect(cluster.gets(blob)).toEqual(['whole']);
  });

  it('a holder that is killed half-way costs one GET for the rest', { timeout: long }, async () => {
    await using cluster = await Cluster.start(makeStorage);
    const blob = makeBlob(20 * mebibyte, 'killed');
    cluster.registry.addBlob('app', blob);
    cluster.registry.behaviour.bytesPerSecond = 5 * mebibyte;
    const pulls = crowd(cluster, blob, 100);
    const holder = await cluster.holder(blob);
    await until(() => cluster.registry.bodyBytes({ kind: 'blob' }) > blob.body.length / 2, 'half of it was sent');
    await cluster.kill(holder);
    const outcomes = await pulls;
    expect(wrong(outcomes)).toEqual([]);
    const [first, ...more] = cluster.gets(blob);
    expect([first, more.length]).toEqual(['whole', 1]);
    expect(more[0]).toMatch(/^bytes=\d+-$/);
  });

  it('a holder that stalls half-way costs one GET for the rest', { timeout: long }, async () => {
    await using cluster = await Cluster.start(makeStorage);
    const blob = makeBlob(20 * mebibyte, 'stalled');
    cluster.registry.addBlob('app', blob);
    cluster.registry.behaviour.bytesPerSecond = 5 * mebibyte;
    const pulls = crowd(cluster, blob, 20);
    const holder = cluster.programs[await cluster.holder(blob)];
    await until(() => cluster.registry.bodyBytes({ kind: 'blob' }) > blob.body.length / 2, 'half of it was sent');
    holder?.kill('SIGSTOP');
    try {
      expect(wrong(await pulls)).toEqual([]);
      expect(cluster.gets(blob).length).toBeLessThanOrEqual(2);
    } finally {
      holder?.kill('SIGCONT');
    }
    // What it had begun, it ends.
    await until(async () => (await cluster.storage.keys()).every((key) => !key.startsWith('leases/')), 'it let go');
  });

  it('a replica that nobody reaches costs a GET of its own', { timeout: long }, async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    await using cluster = await Cluster.start(makeStorage, {
      advertise: (url, index) => (index === 0 ? nowhere : url),
    });
    const blob = makeBlob(4 * mebibyte, 'partitioned');
    cluster.registry.addBlob('app', blob);
    cluster.registry.behaviour.bytesPerSecond = 2 * mebibyte;
    const urls = cluster.urlsOf(blob);
    // The one that cannot be reached has the lease; the others find out, and one of them takes it.
    const first = pullResuming(urls, blob.body, 0);
    await until(() => cluster.gets(blob).length === 1, 'the upstream was asked');
    const outcomes = await Promise.all([first, ...[1, 2, 4, 5, 7, 8].map((at) => pullResuming(urls, blob.body, at))]);
    expect(wrong(outcomes)).toEqual([]);
    expect(cluster.gets(blob)).toEqual(['whole', 'whole']);
  });

  it.each([
    ['damaged', Buffer.from('{"version":1,"hol')],
    ['foreign', Buffer.from('<html>')],
    ['empty', Buffer.alloc(0)],
    ['huge', Buffer.alloc(2 * mebibyte, 'x')],
    ['of a newer version', Buffer.from('{"version":2,"holder":"x","url":"http://127.0.0.1:1","expiresAt":9e15}')],
    ['with a URL that is none', Buffer.from('{"version":1,"holder":"x","url":"file:///etc/passwd","expiresAt":9e15}')],
    ['of somebody long gone', Buffer.from('{"version":1,"holder":"x","url":"http://127.0.0.1:1","expiresAt":1}')],
    ['of nobody', Buffer.from('{"version":1,"holder":"x","url":"http://127.0.0.1:1","expiresAt":9e15}')],
  ])('a lease that is %s is none', { timeout: long }, async (_, content) => {
    await using cluster = await Cluster.start(makeStorage, { replicas: 2 });
    const blob = makeBlob(mebibyte, 'lease');
    const leases = keys.blobLeases(`registry.test http://${cluster.registry.host}`, Digest.parse(blob.digest));
    cluster.registry.addBlob('app', blob);
    await cluster.storage.write(keys.lease(leases, 3), content);
    expect(wrong(await crowd(cluster, blob, 5))).toEqual([]);
    expect(cluster.gets(blob)).toEqual(['whole']);
  });

  it.each([401, 403, 404, 429, 503])(
    'a refusal with %i is the same at every replica',
    { timeout: long },
    async (status) => {
      await using cluster = await Cluster.start(makeStorage);
      const blob = makeBlob(mebibyte, status);
      cluster.registry.behaviour.outage = { status, kinds: ['blob'] };
      cluster.registry.behaviour.delayHeaders = 300;
      const outcomes = await crowd(cluster, blob, 5);
      expect(new Set(outcomes.map((outcome) => outcome.status))).toEqual(new Set([status]));
      expect(cluster.gets(blob).length).toBeLessThanOrEqual(status === 503 ? 9 : 3);
    },
  );
}
