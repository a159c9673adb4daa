import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { RemovalService } from '../../../src/registry/eviction/removal.service.js';
import { ScrubService } from '../../../src/registry/eviction/scrub.service.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { keys } from '../../../src/storage/keys.js';
import { ContentStore } from '../../../src/storage/stores/content.store.js';
import { app, bodyOf, digestOf, HostedRegistry, image, refusal, tag } from './support/registry.js';

const mirrored = RepositoryRef.parse('registry.test/app');

/** Content as a pull leaves it. */
async function storeMirrored(registry: HostedRegistry, content: Buffer): Promise<void> {
  const contents = registry.mirror.app.get(ContentStore);
  const digest = digestOf(content);
  const ingest = await contents.createIngest(digest);
  await ingest.append(content);
  await contents.commit(ingest, digest);
  await ingest.close();
  await contents.link(mirrored, digest, { size: content.length, isPrivate: false, agreedAt: Date.now() });
}

/** Lets everything stored within the last hour have been unused for so many days. */
async function age(root: string, days: number): Promise<void> {
  const then = new Date(Date.now() - days * 86_400_000);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      if ((await stat(path)).mtimeMs > Date.now() - 3_600_000) await utimes(path, then, then);
    }
}

const layer = (at: number) => Buffer.alloc(20_000, `layer ${at} `);
const kept = Array.from({ length: 10 }, (_, at) => layer(at));

describe.each<[string, { hosted?: { namespace: string }[] }]>([
  ['that is configured', {}],
  ['that is no longer configured', { hosted: [] }],
])('what was pushed to a namespace %s', (_which, configured) => {
  it('is not evicted, however old it is and however little space there is', async () => {
    const registry = await HostedRegistry.start();
    const { root } = registry.mirror;
    await registry.pushImage('v1');
    for (const content of kept) await registry.pushBlob(content);
    const manifest = image(kept);
    await registry.put(digestOf(manifest), manifest);
    await age(root, 1_000);
    for (let at = 10; at < 20; at += 1) await storeMirrored(registry, layer(at));
    // The mirror has some of the same content.
    await storeMirrored(registry, layer(0));
    await age(root, 1);
    await registry.mirror.stop();

    const options = { root, server: { maxSize: 430_000 }, ...configured };
    await using again = await HostedRegistry.start({}, options);
    const sweeps = again.mirror.app.get(SweepService);
    await sweeps.run();
    const { removedContents } = await sweeps.run();
    expect(sweeps.status.last?.bytes).toBeLessThan(430_000);
    expect(removedContents).toBe(0);
    for (const content of [...kept, Buffer.from('layer')]) {
      const digest = digestOf(content);
      expect((await again.readBlob(digest)).equals(content)).toBe(true);
    }
    await again.get('v1');
    expect((await again.listTags()).tags).toEqual(['v1']);
    const gone = Array.from({ length: 10 }, (_, at) => digestOf(layer(at + 10)));
    const contents = again.mirror.app.get(ContentStore);
    const sizes = await Promise.all(gone.map((digest) => contents.findSize(digest)));
    expect(sizes.filter((size) => size === undefined).length).toBeGreaterThan(2);
  });
});

describe('what was pushed', () => {
  it('is served, and nothing is added or fetched, when its namespace is no longer configured', async () => {
    const registry = await HostedRegistry.start();
    const { root } = registry.mirror;
    const body = await registry.pushImage('v1');
    await registry.mirror.stop();
    await using again = await HostedRegistry.start({}, { root, hosted: [] });
    expect((await again.get('v1')).body.equals(body)).toBe(true);
    expect(await refusal(again.get('v2'))).toBe('404 MANIFEST_UNKNOWN');
    expect(await refusal(again.pushBlob('more'))).toBe('405 UNSUPPORTED');
    expect(await refusal(again.manifests.delete(app, tag('v1')))).toBe('405 UNSUPPORTED');
    expect(again.mirror.log).toContain('local has pushed content and is not configured as hosted');
  });

  it('is not removed by an operator as if it were a cache', async () => {
    await using registry = await HostedRegistry.start();
    await registry.pushImage('v1');
    const removals = registry.mirror.app.get(RemovalService);
    expect(await refusal(removals.removeManifest(app, tag('v1')))).toBe('405 UNSUPPORTED');
    expect(await refusal(removals.removeBlob(app, digestOf('layer')))).toBe('405 UNSUPPORTED');
    await registry.get('v1');
  });

  it('is set aside for ever when it is damaged, and whole again when it is pushed again', async () => {
    const registry = await HostedRegistry.start();
    const { root } = registry.mirror;
    await registry.pushImage('v1');
    const digest = digestOf('layer');
    await writeFile(join(root, keys.content(digest)), 'other');
    await registry.mirror.app.get(ScrubService).run();
    expect(await refusal(registry.blobs.head(app, digest))).toBe('404 BLOB_UNKNOWN');
    await age(join(root, 'damaged'), 100);
    await registry.mirror.stop();
    await using again = await HostedRegistry.start({}, { root });
    await again.mirror.app.get(SweepService).run();
    expect((await readdir(join(root, 'damaged'), { recursive: true })).join()).toContain(digest.hex);
    const { id, epoch } = await again.uploads.begin(app);
    await again.uploads.complete(app, id, epoch, digest, undefined, bodyOf('layer'));
    expect(await again.readBlob(digest)).toEqual(Buffer.from('layer'));
  });
});
