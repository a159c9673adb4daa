import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostedSettings } from '../../../src/config/hosted/hosted.settings.js';
import { KeepSettings } from '../../../src/config/hosted/keep.settings.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { UsesService } from '../../../src/registry/eviction/uses.service.js';
import { GarbageService } from '../../../src/registry/hosted/garbage/garbage.service.js';
import type { Garbage } from '../../../src/registry/hosted/garbage/repository.garbage.js';
import { keys } from '../../../src/storage/keys.js';
import { StorageError } from '../../../src/storage/storage-error.js';
import { app, digestOf, HostedRegistry, image, refusal, tag } from './support/registry.js';
import { HandClock, SharedMemory } from './support/hand-clock.js';

const day = 86_400_000;
const keep = (...rules: Partial<KeepSettings>[]) => rules.map((rule) => Object.assign(new KeepSettings(), rule));

let clock: HandClock;
let storage: SharedMemory;
beforeEach(() => {
  clock = new HandClock();
  storage = new SharedMemory();
});
afterEach(() => clock[Symbol.dispose]());

const start = (settings: Partial<HostedSettings>, advertiseUrl?: string) =>
  HostedRegistry.start(settings, {
    clock,
    storage,
    server: { sweepInterval: 0, ...(advertiseUrl && { advertiseUrl }) },
  });

async function collect(registry: HostedRegistry, isDryRun = false): Promise<Garbage[]> {
  const found: Garbage[] = [];
  await registry.mirror.app.get(UsesService).settled();
  const garbage = registry.mirror.app.get(GarbageService);
  const report = (one: Garbage) => void found.push(one);
  expect(await garbage.run({ isDryRun, signal: new AbortController().signal, report })).toBe(0);
  return found;
}

/** Pushes images, one a day. */
async function pushDaily(registry: HostedRegistry, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await registry.pushImage(name, `layer of ${name}`);
    clock.pass(1);
  }
}

const tagsIn = (garbage: readonly Garbage[]) => garbage.flatMap(({ tag: name }) => name ?? []).sort();

describe('a tag that some rule is about and none keeps', () => {
  it('goes, and its manifest and layers follow when they have been untagged for long enough', async () => {
    await using registry = await start({ untagged: 7 * day, keep: keep({ tags: ['pr-*'], last: 2 }) });
    await pushDaily(registry, ['pr-1', 'latest', 'pr-2', 'pr-3', 'pr-4']);
    clock.pass(1);
    const dry = await collect(registry, true);
    expect(dry).toMatchObject([
      { kind: 'tag', repository: 'local/team/app', tag: 'pr-2', reason: 'keep[0]: 2 newer tags' },
      { kind: 'tag', repository: 'local/team/app', tag: 'pr-1', reason: 'keep[0]: 3 newer tags' },
    ]);
    expect((await registry.listTags()).tags).toHaveLength(5);
    expect(tagsIn(await collect(registry))).toEqual(['pr-1', 'pr-2']);
    expect((await registry.listTags()).tags).toEqual(['latest', 'pr-3', 'pr-4']);
    expect(await refusal(registry.get('pr-1'))).toBe('404 MANIFEST_UNKNOWN');
    const manifest = digestOf(image(['layer of pr-1']));
    clock.pass(6);
    await collect(registry);
    expect(await storage.stat(keys.manifest(app, manifest))).toBeDefined();
    clock.pass(2);
    await collect(registry);
    expect(await refusal(registry.get(manifest))).toBe('404 MANIFEST_UNKNOWN');
    expect(await refusal(registry.blobs.head(app, digestOf('layer of pr-1')))).toBe('404 BLOB_UNKNOWN');
    await registry.get('pr-3');
  });

  it('stays for a day after its last push or pull', async () => {
    await using registry = await start({ keep: keep({ last: 0 }) });
    await registry.pushImage('v1');
    clock.pass(0.9);
    expect(await collect(registry)).toEqual([]);
    clock.pass(0.2);
    await registry.get('v1');
    expect(await collect(registry)).toEqual([]);
    clock.pass(1.1);
    expect(tagsIn(await collect(registry))).toEqual(['v1']);
  });

  it('stays if it is immutable, or the tag of a signature', async () => {
    await using registry = await start({ immutableTags: ['v*'], keep: keep({ last: 0 }) });
    const signature = `sha256-${digestOf(await registry.pushImage('v1')).hex}.sig`;
    await pushDaily(registry, [signature, 'other']);
    clock.pass(500);
    expect(tagsIn(await collect(registry))).toEqual(['other']);
  });

  it('goes as the tag of a signature if a rule names those, once what it signs is gone', async () => {
    await using registry = await start({ untagged: 0, keep: keep({ tags: ['sha256-*'], last: 0 }) });
    const image = await registry.pushImage('v1');
    const signature = `sha256-${digestOf(image).hex}.sig`;
    await registry.pushImage(signature, 'signature');
    clock.pass(500);
    expect(await collect(registry)).toEqual([]);
    await registry.manifests.delete(app, digestOf(image));
    expect(tagsIn(await collect(registry))).toEqual([signature]);
  });

  it('stays in repositories that no rule is about', async () => {
    await using registry = await start({ keep: keep({ repositories: 'team/a*', last: 0 }) });
    const other = RepositoryRef.parse('local/other');
    await registry.pushImage('v1');
    await registry.pushImage('v1', 'layer', {}, other);
    clock.pass(500);
    expect(await collect(registry, true)).toMatchObject([{ repository: 'local/team/app', tag: 'v1' }]);
  });
});

describe('pulled_within keeps a tag', () => {
  it.each<[string, (registry: HostedRegistry) => Promise<unknown>]>([
    ['GET of the tag', (registry) => registry.get('v1')],
    ['HEAD of the tag', (registry) => registry.manifests.head(app, tag('v1'))],
    ['GET by digest', (registry) => registry.get(digestOf(image(['layer of v1'])))],
    ['a push of the same', (registry) => registry.put('v1', image(['layer of v1']))],
  ])('that was used by %s, also after a restart', async (_how, use) => {
    const settings = { keep: keep({ pulledWithin: 90 * day }) };
    {
      await using registry = await start(settings);
      await pushDaily(registry, ['v1', 'v2']);
      clock.pass(80);
      await use(registry);
      await registry.mirror.app.get(UsesService).settled();
    }
    clock.pass(80);
    await using again = await start(settings);
    expect(tagsIn(await collect(again))).toEqual(['v2']);
    clock.pass(20);
    expect(await collect(again, true)).toMatchObject([
      { tag: 'v1', reason: expect.stringMatching(/^keep\[0\]: not pulled for (99|100|101)d$/) as string },
    ]);
  });

  it('while it is unknown whether it was pulled, because a use could not be recorded', async () => {
    await using registry = await start({ keep: keep({ pulledWithin: 90 * day }) });
    await pushDaily(registry, ['v1', 'v2']);
    clock.pass(200);
    const touch = storage.touch.bind(storage);
    storage.touch = () => Promise.reject(new StorageError('failed', 'planned'));
    await registry.get('v1');
    expect(await collect(registry)).toEqual([]);
    storage.touch = touch;
    clock.pass(89);
    expect(await collect(registry)).toEqual([]);
    clock.pass(2);
    expect(tagsIn(await collect(registry))).toEqual(['v1', 'v2']);
    expect(registry.mirror.log).toContain('could not record a use of');
  });

  it('when another replica served the pull', async () => {
    const settings = { keep: keep({ pulledWithin: 90 * day }) };
    await using one = await start(settings, 'http://127.0.0.1:1');
    await using other = await start(settings, 'http://127.0.0.1:2');
    await pushDaily(one, ['v1', 'v2']);
    clock.pass(80);
    await other.get('v1');
    await other.mirror.app.get(UsesService).settled();
    clock.pass(80);
    expect(tagsIn(await collect(one))).toEqual(['v2']);
  });
});

/** Stops a removal of a tag just before or after the storage removes it, and lets something happen. */
function atRemoval(name: string, when: 'before' | 'after', happening: () => Promise<unknown>): void {
  const remove = storage.delete.bind(storage);
  let isDone = false;
  storage.delete = async (key) => {
    if (isDone || key !== keys.hostedTag(app, tag(name))) return remove(key);
    isDone = true;
    if (when === 'after') await remove(key);
    await happening();
    if (when === 'before') await remove(key);
  };
}

describe('a push of a tag that is being removed', () => {
  it.each(['before', 'after'] as const)('at another replica, %s it is removed, is not lost', async (when) => {
    const settings = { keep: keep({ last: 0 }) };
    await using one = await start(settings, 'http://127.0.0.1:1');
    await using other = await start(settings, 'http://127.0.0.1:2');
    await registerOld(one);
    const body = image(['new']);
    let pushed: Promise<unknown> = Promise.resolve();
    atRemoval('v1', when, async () => {
      const put = storage.write.bind(storage);
      const isWritten = new Promise<void>((resolve) => {
        storage.write = async (key, content) => {
          await put(key, content);
          if (key === keys.hostedTag(app, tag('v1'))) resolve();
        };
      });
      pushed = other.put('v1', body);
      await isWritten;
    });
    await collect(one);
    await pushed;
    for (const replica of [one, other]) expect((await replica.get('v1')).body.equals(body)).toBe(true);
  });

  it('at the same process waits for it and is not lost', async () => {
    await using registry = await start({ keep: keep({ last: 0 }) });
    await registerOld(registry);
    const body = image(['new']);
    let pushed: Promise<unknown> = Promise.resolve();
    atRemoval('v1', 'before', () => {
      pushed = registry.put('v1', body);
      return Promise.resolve();
    });
    expect(tagsIn(await collect(registry))).toEqual(['v1']);
    await pushed;
    expect((await registry.get('v1')).body.equals(body)).toBe(true);
  });

  it.each(['pulled', 'pushed'])('%s since it was listed, stays', async (how) => {
    await using one = await start({ keep: keep({ pulledWithin: day }) }, 'http://127.0.0.1:1');
    await using other = await start({ keep: keep({ pulledWithin: day }) }, 'http://127.0.0.1:2');
    await registerOld(one);
    const list = storage.list.bind(storage);
    storage.list = async function* (prefix) {
      yield* list(prefix);
      if (prefix !== keys.manifests(app)) return;
      storage.list = list;
      await (how === 'pulled' ? other.get('v1') : other.put('v1', image(['new'])));
      await other.mirror.app.get(UsesService).settled();
    };
    expect(await collect(one)).toEqual([]);
    await other.get('v1');
  });

  async function registerOld(registry: HostedRegistry): Promise<void> {
    await registry.pushImage('v1', 'old');
    await registry.pushBlob('new');
    clock.pass(2);
    await registry.blobs.head(app, digestOf('new'));
    await registry.blobs.head(app, digestOf('{}'));
  }
});
