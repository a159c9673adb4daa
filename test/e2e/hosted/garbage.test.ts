import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostedSettings } from '../../../src/config/hosted/hosted.settings.js';
import type { Digest } from '../../../src/oci/digest.js';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { GarbageService } from '../../../src/registry/hosted/garbage/garbage.service.js';
import type { Garbage } from '../../../src/registry/hosted/garbage/repository.garbage.js';
import { keys } from '../../../src/storage/keys.js';
import { ContentStore } from '../../../src/storage/stores/content.store.js';
import { ageBy, LaterClock } from './support/ageing.js';
import { app, descriptor, digestOf, HostedRegistry, image, index, refusal, tag } from './support/registry.js';

const hours = (days: number) => days * 24;

/** A registry in which time passes as its tests say. */
class AgeingRegistry implements AsyncDisposable {
  private constructor(
    readonly registry: HostedRegistry,
    private readonly clock: LaterClock,
  ) {}

  static async start(settings: Partial<HostedSettings> = {}): Promise<AgeingRegistry> {
    const clock = new LaterClock();
    return new AgeingRegistry(await HostedRegistry.start(settings, { clock }), clock);
  }

  /** What was stored before ages, and this process forgets what it has just used. */
  async pass(days: number): Promise<void> {
    await ageBy(this.registry.mirror.root, hours(days));
    this.clock.pass(2);
  }

  sweep() {
    return this.registry.mirror.app.get(SweepService).run();
  }

  async dryRun(): Promise<Garbage[]> {
    const found: Garbage[] = [];
    const signal = new AbortController().signal;
    const report = (garbage: Garbage) => void found.push(garbage);
    await this.registry.mirror.app.get(GarbageService).run({ isDryRun: true, signal, report });
    return found;
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.registry.mirror.app.get(ContentStore).findSize(digest)) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
  }
}

const day = 86_400_000;
const blobGone = '404 BLOB_UNKNOWN';
const manifestGone = '404 MANIFEST_UNKNOWN';

describe('a blob that no manifest names', () => {
  it('goes a day after it was pushed, with its content', async () => {
    await using scene = await AgeingRegistry.start();
    const { registry } = scene;
    const image = await registry.pushImage('v1');
    const orphan = await registry.pushBlob('orphan');
    await scene.pass(0.9);
    await scene.sweep();
    expect(await scene.has(orphan)).toBe(true);
    await scene.pass(0.2);
    const { removedRecords, removedContents } = await scene.sweep();
    expect([removedRecords, removedContents]).toEqual([1, 1]);
    expect(await refusal(registry.blobs.head(app, orphan))).toBe(blobGone);
    expect(await scene.has(orphan)).toBe(false);
    expect((await registry.get('v1')).body.equals(image)).toBe(true);
    expect(await registry.readBlob(digestOf('layer'))).toEqual(Buffer.from('layer'));
    await registry.pushBlob('orphan');
    expect(await registry.readBlob(orphan)).toEqual(Buffer.from('orphan'));
  });

  it('goes with the manifest that was deleted, unless another one has it', async () => {
    await using scene = await AgeingRegistry.start();
    const { registry } = scene;
    const first = await registry.pushImage('v1', 'one');
    await registry.pushImage('v2', 'two');
    await scene.pass(2);
    await registry.manifests.delete(app, digestOf(first));
    await scene.sweep();
    expect(await refusal(registry.blobs.head(app, digestOf('one')))).toBe(blobGone);
    expect(await scene.has(digestOf(first))).toBe(false);
    expect(await registry.readBlob(digestOf('two'))).toEqual(Buffer.from('two'));
    expect(await registry.readBlob(digestOf('{}'))).toEqual(Buffer.from('{}'));
  });

  it.each<[string, (registry: HostedRegistry, digest: Digest) => Promise<unknown>]>([
    ['HEAD', (registry, digest) => registry.blobs.head(app, digest)],
    ['a push of the same', (registry) => registry.pushBlob('orphan')],
    ['a mount', (registry, digest) => registry.uploads.mount(app, digest, RepositoryRef.parse('local/other'))],
    ['a mount without source', (registry, digest) => registry.uploads.mount(app, digest, undefined)],
  ])('is kept for another day by %s', async (_what, renew) => {
    await using scene = await AgeingRegistry.start();
    const { registry } = scene;
    const digest = await registry.pushBlob('orphan');
    await registry.pushBlob('orphan', RepositoryRef.parse('local/other'));
    await scene.pass(2);
    await renew(registry, digest);
    await scene.pass(0.8);
    await scene.sweep();
    await registry.pushBlob('{}');
    expect(await refusal(registry.put('v1', image(['orphan'])))).toBe('none');
    await scene.pass(5);
    await scene.sweep();
    expect(await registry.readBlob(digest)).toEqual(Buffer.from('orphan'));
  });

  it('leaves its content to other repositories, hosted and mirrored', async () => {
    await using scene = await AgeingRegistry.start();
    const { registry } = scene;
    const other = RepositoryRef.parse('local/other');
    const [shared, mirrored] = [await registry.pushBlob('shared'), await registry.pushBlob('mirrored')];
    await registry.pushImage('v1', 'shared', {}, other);
    const contents = registry.mirror.app.get(ContentStore);
    const record = { size: 8, isPrivate: false, agreedAt: Date.now() };
    await contents.link(RepositoryRef.parse('registry.test/app'), mirrored, record);
    await scene.pass(2);
    await scene.sweep();
    expect(await refusal(registry.blobs.head(app, shared))).toBe(blobGone);
    expect(await registry.readBlob(shared, other)).toEqual(Buffer.from('shared'));
    expect(await refusal(registry.blobs.head(app, mirrored))).toBe(blobGone);
    expect(await scene.has(mirrored)).toBe(true);
  });
});

describe('what a manifest names stays', () => {
  it(
    'beyond a thousand layers, in artifacts, in layers that are not distributed and in documents of other types',
    { timeout: 120_000 },
    async () => {
      await using scene = await AgeingRegistry.start();
      const { registry } = scene;
      const names = Array.from({ length: 1_100 }, (_, at) => `layer ${at}`);
      const all = [...names, '{}', 'foreign', 'other', 'cache'];
      for (let done = 0; done < all.length; done += 16)
        await Promise.all(all.slice(done, done + 16).map((name) => registry.pushBlob(name)));
      await registry.put('big', image(names));
      const foreign = descriptor('foreign', 'application/vnd.oci.image.layer.nondistributable.v1.tar');
      await registry.put('foreign', image([], { layers: [foreign] }));
      const cache = [descriptor('cache', 'application/vnd.oci.image.layer.v1.tar')];
      await registry.put('cache', index([], { manifests: cache }));
      const mediaType = 'application/vnd.example.thing.v1+json';
      await registry.put('other', Buffer.from(JSON.stringify({ mediaType, parts: [digestOf('other').toString()] })));
      await scene.pass(2);
      expect(await scene.dryRun()).toEqual([]);
      expect((await scene.sweep()).removedRecords).toBe(0);
      for (const name of ['layer 0', 'layer 1099', 'foreign', 'other', 'cache'])
        expect(await registry.readBlob(digestOf(name))).toEqual(Buffer.from(name));
    },
  );

  it('and manifests without a tag are kept for ever by default', async () => {
    await using scene = await AgeingRegistry.start();
    const { registry } = scene;
    const old = await registry.pushImage('v1', 'one');
    await registry.pushImage('v1', 'two');
    await scene.pass(1_000);
    await scene.sweep();
    expect(await refusal(registry.get(digestOf(old)))).toBe('none');
    expect(await registry.readBlob(digestOf('one'))).toEqual(Buffer.from('one'));
  });
});

describe('a manifest without a tag', () => {
  it('goes with its blobs when it has been without one for long enough', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 7 * day });
    const { registry } = scene;
    const old = await registry.pushImage('v1', 'one');
    await scene.pass(30);
    // Until now it had one.
    await registry.pushImage('v1', 'two');
    await scene.pass(6);
    await scene.sweep();
    expect(await refusal(registry.get(digestOf(old)))).toBe('none');
    await scene.pass(8);
    await scene.sweep();
    expect(await refusal(registry.get(digestOf(old)))).toBe(manifestGone);
    expect(await refusal(registry.blobs.head(app, digestOf('one')))).toBe(blobGone);
    expect([await scene.has(digestOf(old)), await scene.has(digestOf('one'))]).toEqual([false, false]);
    expect(await registry.readBlob(digestOf('two'))).toEqual(Buffer.from('two'));
  });

  it('goes that long after its tag was deleted', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 7 * day });
    const { registry } = scene;
    const body = await registry.pushImage('v1');
    await scene.pass(30);
    await registry.manifests.delete(app, tag('v1'));
    await scene.pass(6);
    await scene.sweep();
    expect(await refusal(registry.manifests.head(app, digestOf(body)))).toBe('none');
    await scene.pass(6);
    await scene.sweep();
    expect(await refusal(registry.manifests.head(app, digestOf(body)))).toBe('none');
    await scene.pass(8);
    await scene.sweep();
    expect(await refusal(registry.manifests.head(app, digestOf(body)))).toBe(manifestGone);
  });

  it('stays as long as a live index lists it, however deep, and goes after that index', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 0 });
    const { registry } = scene;
    const child = await registry.pushImage('child');
    const inner = index([child]);
    await registry.put(digestOf(inner), inner);
    const outer = index([], { manifests: [descriptor(inner, manifestMediaTypes.ociIndex)] });
    await registry.put('v1', outer);
    await registry.manifests.delete(app, tag('child'));
    await scene.pass(100);
    await scene.sweep();
    for (const body of [child, inner, outer]) expect(await refusal(registry.get(digestOf(body)))).toBe('none');
    await registry.manifests.delete(app, tag('v1'));
    await scene.pass(2);
    const garbage = await scene.dryRun();
    const manifests = [outer, inner, child].map((body) => digestOf(body).toString());
    expect(garbage.map(({ digest }) => digest).slice(0, 3)).toEqual(manifests);
    await scene.sweep();
    for (const body of [child, inner, outer]) expect(await refusal(registry.get(digestOf(body)))).toBe(manifestGone);
    expect(await scene.has(digestOf('layer'))).toBe(false);
  });

  it('stays as long as its subject does, and goes with it', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 7 * day });
    const { registry } = scene;
    const subject = await registry.pushImage('v1');
    await registry.pushBlob('signature');
    const signature = image(['signature'], { subject: descriptor(subject, manifestMediaTypes.ociManifest) });
    await registry.put(digestOf(signature), signature);
    await scene.pass(100);
    await scene.sweep();
    expect((await registry.listReferrers(digestOf(subject))).manifests).toHaveLength(1);
    await registry.manifests.delete(app, tag('v1'));
    await scene.pass(6);
    // Newer than its subject.
    await registry.manifests.head(app, digestOf(signature));
    await scene.pass(2);
    await scene.sweep();
    expect((await registry.listReferrers(digestOf(subject))).manifests).toHaveLength(0);
    expect(await refusal(registry.get(digestOf(signature)))).toBe(manifestGone);
    expect(await scene.has(digestOf('signature'))).toBe(false);
  });

  it('is kept by HEAD and by a push of what lists it', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 0 });
    const { registry } = scene;
    const bodies = [await registry.pushImage('a', 'one'), await registry.pushImage('b', 'two')] as const;
    for (const name of ['a', 'b']) await registry.manifests.delete(app, tag(name));
    await scene.pass(2);
    await registry.manifests.head(app, digestOf(bodies[0]));
    await registry.put('index', index([bodies[1]]));
    await scene.pass(0.5);
    await scene.sweep();
    for (const body of bodies) expect(await refusal(registry.get(digestOf(body)))).toBe('none');
    for (const name of ['one', 'two']) expect(await registry.readBlob(digestOf(name))).toEqual(Buffer.from(name));
  });
});

describe('nothing goes from a repository', () => {
  it.each<[string, (root: string, manifest: Digest) => Promise<void>]>([
    ['whose manifest is damaged', (root, digest) => writeFile(join(root, keys.content(digest)), '{"layers":[]}')],
    ['whose manifest is missing', (root, digest) => rm(join(root, keys.content(digest)))],
    ['with a damaged record', (root, digest) => writeFile(join(root, keys.manifest(app, digest)), 'damaged')],
    ['with a damaged tag', (root) => writeFile(join(root, keys.hostedTag(app, tag('v1'))), 'damaged')],
  ])('%s, until it is pushed again', async (_what, damage) => {
    const first = await AgeingRegistry.start();
    const body = await first.registry.pushImage('v1');
    const orphan = await first.registry.pushBlob('orphan');
    const { root } = first.registry.mirror;
    await first.registry.mirror.stop();
    await damage(root, digestOf(body));
    await ageBy(root, 48);
    const again = await HostedRegistry.start({ untagged: 0 }, { root });
    const sweeps = again.mirror.app.get(SweepService);
    for (let run = 0; run < 3; run += 1) await sweeps.run();
    expect(again.mirror.log).toContain('garbage of local/team/app was not collected');
    expect(await again.blobs.head(app, digestOf('layer'))).toMatchObject({ size: 5 });
    expect(await again.blobs.head(app, orphan)).toMatchObject({ size: 6 });
    await again.put('v1', body);
    await ageBy(root, 48);
    await again.mirror.stop();
    const last = await HostedRegistry.start({ untagged: 0 }, { root });
    await last.mirror.app.get(SweepService).run();
    expect(await refusal(last.blobs.head(app, orphan))).toBe(blobGone);
    expect(await last.blobs.head(app, digestOf('layer'))).toMatchObject({ size: 5 });
    await last.mirror.stop();
    await rm(root, { recursive: true });
  });

  it('by a dry run, which says what would go and why', async () => {
    await using scene = await AgeingRegistry.start({ untagged: 0 });
    const { registry } = scene;
    const orphan = await registry.pushBlob('orphan');
    const body = await registry.pushImage('v1');
    await registry.manifests.delete(app, tag('v1'));
    await scene.pass(2);
    const found = await scene.dryRun();
    const all = [digestOf(body), digestOf('layer'), digestOf('{}'), orphan].map(String).sort();
    expect(found.map(({ digest }) => digest).sort()).toEqual(all);
    expect(found[0]).toMatchObject({
      repository: 'local/team/app',
      kind: 'manifest',
      reason: 'no tag and no index has it',
    });
    expect(found[1]).toMatchObject({ kind: 'blob', reason: 'no manifest names it' });
    for (const digest of [digestOf('layer'), orphan]) await registry.blobs.head(app, digest);
    expect(await refusal(registry.get(digestOf(body)))).toBe('none');
  });
});
