import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { keys } from '../../src/storage/keys.js';
import { FilesystemProvider } from '../../src/storage/providers/filesystem/filesystem.provider.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { heldBlob } from '../e2e/support/held-blob.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { ScriptedUpstream, head as responseHead, wait } from '../fakes/scripted-upstream.js';
import { makeBlob, makeImage, type FixtureBlob } from '../fixtures/images.js';
import { codeOf, pull, Watcher } from './support/client.js';
import { Fleet } from './support/fleet.js';
import { Gate, until } from './support/gate.js';

const older = makeImage({ seed: 'older' });
const newer = makeImage({ seed: 'newer' });
const tag = 'app/manifests/1.0';

const leasesOf = async ({ folder }: Fleet) =>
  (await storedFiles(folder.path)).filter((file) => file.startsWith('leases/'));

/** Where the holder of the one lease there is says that it is. */
async function holderOf(fleet: Fleet): Promise<string> {
  await until(async () => (await leasesOf(fleet)).length > 0, 'somebody has the lease');
  const [lease = ''] = await leasesOf(fleet);
  return (JSON.parse(await readFile(fleet.folder.file(lease), 'utf8')) as { url: string }).url;
}

/** A storage that takes whoever comes for the first. */
class CarelessStorage extends FilesystemProvider {
  override get isExclusive(): boolean {
    return false;
  }
}

/** A storage that does nothing any more when it has been closed. */
class ClosingStorage extends FilesystemProvider {
  private isClosed = false;

  override async delete(key: string): Promise<void> {
    if (this.isClosed) throw new StorageError('failed', 'the storage is closed');
    await super.delete(key);
  }

  override close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** A lease of somebody who is not one of the fleet. */
async function plantLease(fleet: Fleet, { digest }: FixtureBlob, host: string): Promise<void> {
  const leases = keys.blobLeases(`registry.test http://${fleet.registry.host}`, Digest.parse(digest));
  const lease = { version: 1, holder: 'x', url: `http://${host}`, expiresAt: fleet.clock.now() + 10_000 };
  const storage = new FilesystemProvider(fleet.folder.path);
  await storage.initialize();
  await storage.write(keys.lease(leases, 1), Buffer.from(JSON.stringify(lease)));
}

describe('a stale tag at three replicas', () => {
  const crowd = (fleet: Fleet) =>
    Promise.all(fleet.urls(tag).flatMap((url) => Array.from({ length: 50 }, () => pull(url, older.manifest.body))));

  async function withTag(): Promise<Fleet> {
    const fleet = await Fleet.start();
    fleet.registry.addImage('app', older, ['1.0']);
    for (const url of fleet.urls(tag)) await pull(url, older.manifest.body);
    expect(fleet.asked()).toEqual(['GET manifest']);
    fleet.clock.pass(600);
    fleet.registry.behaviour.delayHeaders = 300;
    return fleet;
  }

  it('costs one HEAD, whoever asks for it', async () => {
    await using fleet = await withTag();
    const outcomes = await crowd(fleet);
    expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['right']));
    expect(fleet.asked()).toEqual(['HEAD manifest']);
    expect(await leasesOf(fleet)).toEqual([]);
    fleet.clock.pass(600);
    for (const url of fleet.urls(tag)) expect((await pull(url, older.manifest.body)).verdict).toBe('right');
    expect(fleet.asked()).toEqual(['HEAD manifest']);
  });

  it('that has moved costs a HEAD and a GET, and is the new one everywhere', async () => {
    await using fleet = await withTag();
    fleet.registry.addImage('app', newer, ['1.0']);
    const outcomes = await crowd(fleet);
    expect(outcomes.every(({ body }) => body.equals(newer.manifest.body))).toBe(true);
    expect(fleet.asked()).toEqual(['HEAD manifest', 'GET manifest']);
  });

  it('that has gone is gone everywhere', async () => {
    await using fleet = await withTag();
    fleet.registry.deleteTag('app', '1.0');
    const outcomes = await crowd(fleet);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([404]));
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('is answered stale while the registry is away, as fast as ever', async () => {
    await using fleet = await withTag();
    await fleet.registry.stop();
    const start = performance.now();
    const outcomes = await crowd(fleet);
    expect(new Set(outcomes.map(({ headers }) => headers['x-cache']))).toEqual(new Set(['STALE']));
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(await leasesOf(fleet)).toEqual([]);
  });
});

describe('a cold manifest at three replicas', () => {
  it.each(['a tag', 'a digest'])('costs one GET by %s', async (by) => {
    await using fleet = await Fleet.start();
    fleet.registry.addImage('app', older, ['1.0']);
    fleet.registry.behaviour.delayHeaders = 300;
    const path = by === 'a tag' ? tag : `app/manifests/${older.manifest.digest}`;
    const outcomes = await Promise.all(
      fleet.urls(path).flatMap((url) => Array.from({ length: 20 }, () => pull(url, older.manifest.body))),
    );
    expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['right']));
    expect(fleet.asked()).toEqual(['GET manifest']);
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('that is refused is refused everywhere, and not for long', async () => {
    await using fleet = await Fleet.start();
    fleet.registry.behaviour.delayHeaders = 300;
    const start = performance.now();
    const outcomes = await Promise.all(fleet.urls(tag).map((url) => pull(url, older.manifest.body)));
    expect(outcomes.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(await leasesOf(fleet)).toEqual([]);
  });
});

describe('replicas', () => {
  it('each download for themselves where the storage cannot tell who was first, and say so', async () => {
    await using fleet = await Fleet.start({ storage: (root) => new CarelessStorage(root) });
    const blob = makeBlob(1_000_000, 'careless');
    fleet.registry.addBlob('app', blob);
    fleet.registry.behaviour.delayBody = 300;
    const outcomes = await Promise.all(fleet.urls(`app/blobs/${blob.digest}`).map((url) => pull(url, blob.body)));
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(['right', 'right', 'right']);
    expect(fleet.asked()).toEqual(Array(3).fill('GET blob'));
    for (const { log } of fleet.mirrors) expect(log.match(/each download for themselves/g)).toHaveLength(1);
  });

  it('that do not say where they are each download for themselves, and say so', async () => {
    await using fleet = await Fleet.start({
      server: { advertiseUrl: undefined, logLevel: 'debug' } as never,
      replicas: 1,
    });
    expect(fleet.mirrors[0]?.log.match(/each download for themselves/g)).toHaveLength(1);
  });

  it('hand nothing to a repository that the registry does not let have it', async () => {
    await using fleet = await Fleet.start({ replicas: 2 });
    const blob = makeBlob(1_000_000, 'of one repository');
    fleet.registry.addBlob('app', blob);
    using gate = new Gate();
    fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate, 'app');
    const [one = '', two = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    const first = await Watcher.open(one, blob.body);
    const other = await pull(two.replace('/app/', '/other/'), blob.body);
    expect([other.status, codeOf(other)]).toEqual([404, 'BLOB_UNKNOWN']);
    gate.open();
    expect(await first.isWhole()).toBe(true);
  });

  it('that follow are never followed', async () => {
    await using fleet = await Fleet.start({ replicas: 2 });
    const blob = makeBlob(1_000_000, 'depth');
    fleet.registry.addBlob('app', blob);
    using gate = new Gate();
    fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const urls = fleet.urls(`app/blobs/${blob.digest}`);
    const clients = await Promise.all(urls.map((url) => Watcher.open(url, blob.body)));
    await Promise.all(clients.map((client) => client.has(400_000)));
    const holder = await holderOf(fleet);
    const follower = urls.find((url) => !url.startsWith(holder)) ?? '';
    const refused = await pull(follower, blob.body, { headers: { 'oci-registry-follower': 'somebody' } });
    expect([refused.status, codeOf(refused)]).toEqual([503, 'UNAVAILABLE']);
    gate.open();
    expect(await Promise.all(clients.map((client) => client.isWhole()))).toEqual([true, true]);
    expect(fleet.asked()).toEqual(['GET blob']);
  });

  it('download for another replica themselves, whoever has the lease', async () => {
    await using fleet = await Fleet.start({ replicas: 2 });
    const blob = makeBlob(1_000_000, 'direct');
    fleet.registry.addBlob('app', blob);
    using gate = new Gate();
    fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const [one = '', two = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    const first = await Watcher.open(one, blob.body);
    const second = await Watcher.open(two, blob.body, { 'oci-registry-follower': 'somebody' });
    await second.has(400_000);
    gate.open();
    expect(await Promise.all([first.isWhole(), second.isWhole()])).toEqual([true, true]);
    expect(fleet.asked()).toEqual(['GET blob', 'GET blob']);
    await fleet.settled();
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('let go of their leases when they stop in the middle', async () => {
    await using fleet = await Fleet.start({ replicas: 1, storage: (root) => new ClosingStorage(root) });
    const blob = makeBlob(1_000_000, 'stopped');
    fleet.registry.addBlob('app', blob);
    using gate = new Gate();
    fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const [url = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    const client = await Watcher.open(url, blob.body);
    await client.has(300_000);
    expect(await leasesOf(fleet)).toHaveLength(1);
    await fleet.mirrors.pop()?.stop();
    expect(await client.isWhole()).toBe(false);
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('follow no redirect of a holder and tell it nothing secret', async () => {
    const upstream = { username: 'user', password: 'planted-password' };
    await using fleet = await Fleet.start({ replicas: 1, upstream });
    Object.assign(fleet.registry.behaviour, { auth: 'basic' });
    await using impostor = await ScriptedUpstream.start();
    const blob = makeBlob(1_000_000, 'impostor');
    fleet.registry.addBlob('app', blob);
    const path = `/v2/registry.test/app/blobs/${blob.digest}`;
    impostor.on('GET', `${path}?ns=registry.test`, [
      responseHead(307, { location: `http://${impostor.host}/elsewhere`, 'content-length': 0 }),
    ]);
    await plantLease(fleet, blob, impostor.host);
    const [url = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    expect((await pull(url, blob.body)).verdict).toBe('right');
    expect(impostor.requests.map((request) => request.path)).toEqual([`${path}?ns=registry.test`]);
    expect(impostor.requests[0]?.headers.authorization).toBeUndefined();
    await fleet.settled();
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('wait for no answer of a holder whose lease has expired', async () => {
    await using fleet = await Fleet.start({ replicas: 1 });
    await using frozen = await ScriptedUpstream.start();
    const blob = makeBlob(1_000_000, 'frozen');
    fleet.registry.addBlob('app', blob);
    frozen.on('GET', `/v2/registry.test/app/blobs/${blob.digest}?ns=registry.test`, [wait(30_000)]);
    await plantLease(fleet, blob, frozen.host);
    const [url = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    const pulled = pull(url, blob.body);
    await until(() => frozen.requests.length === 1, 'the holder was asked');
    const start = performance.now();
    fleet.clock.pass(14);
    expect((await pulled).verdict).toBe('right');
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(fleet.asked()).toEqual(['GET blob']);
    await fleet.settled();
    expect(await leasesOf(fleet)).toEqual([]);
  });

  it('share a blob whose size the registry does not say', async () => {
    await using fleet = await Fleet.start({ replicas: 2 });
    const blob = makeBlob(3_000_000, 'chunked');
    fleet.registry.addBlob('app', blob);
    Object.assign(fleet.registry.behaviour, { omitContentLength: true, bytesPerSecond: 4_000_000 });
    const outcomes = await Promise.all(fleet.urls(`app/blobs/${blob.digest}`).map((url) => pull(url, blob.body)));
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(['right', 'right']);
    expect(fleet.asked()).toEqual(['GET blob']);
  });
});
