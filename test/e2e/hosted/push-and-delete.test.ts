import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { keys } from '../../../src/storage/keys.js';
import { HandClock, SharedMemory } from './support/hand-clock.js';
import { app, descriptor, digestOf, empty, HostedRegistry, image, index, refusal, tag } from './support/registry.js';

const body = image(['layer']);
const digest = digestOf(body);
const record = keys.manifest(app, digest);
const tagKey = (name: string) => keys.hostedTag(app, tag(name));

interface Scene extends AsyncDisposable {
  readonly storage: SharedMemory;
  /** Takes pushes. */
  readonly one: HostedRegistry;
  /** Takes deletions. */
  readonly other: HostedRegistry;
}

async function start(replicas: number, settings = {}, options = {}): Promise<Scene> {
  const storage = new SharedMemory();
  const server = (port: number) => ({
    sweepInterval: 0,
    ...(replicas > 1 && { advertiseUrl: `http://127.0.0.1:${port}` }),
  });
  const one = await HostedRegistry.start(settings, { storage, server: server(1), ...options });
  const other = replicas > 1 ? await HostedRegistry.start(settings, { storage, server: server(2), ...options }) : one;
  await one.pushImage('old');
  const dispose = async () => {
    if (other !== one) await other[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
  };
  return { storage, one, other, [Symbol.asyncDispose]: dispose };
}

/** Lets something happen before an object is written or removed, so many times. */
function before(
  storage: SharedMemory,
  method: 'write' | 'delete',
  key: string,
  happening: () => Promise<unknown>,
  times = 1,
): void {
  const original = storage[method].bind(storage) as (...given: unknown[]) => Promise<void>;
  let left = times;
  storage[method] = async (...given: unknown[]) => {
    if (given[0] === key && left > 0) {
      left -= 1;
      await happening();
    }
    return original(...given);
  };
}

/** Whether each of these is there, for both. */
async function found({ one, other }: Scene, ...references: (string | typeof digest)[]): Promise<boolean[]> {
  const seen: boolean[] = [];
  for (const reference of references) {
    const [first, second] = [await refusal(one.get(reference)), await refusal(other.get(reference))];
    expect(first).toBe(second);
    seen.push(first === 'none');
  }
  return seen;
}

describe.each([
  ['of one process', 1],
  ['at another replica', 2],
])('a push and a deletion of one manifest at the same time, %s', (_, replicas) => {
  it('leave no tag without its manifest when the push is first', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    before(storage, 'delete', record, () => one.put('new', body, { tags: [tag('more')] }));
    expect(await refusal(other.manifests.delete(app, digest))).toBe('none');
    expect(await found(scene, 'old', 'new', 'more', digest)).toEqual([false, false, false, false]);
    expect((await one.listTags()).tags).toEqual([]);
  });

  it('leave the manifest and all tags of the push when the deletion is first', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    before(storage, 'write', tagKey('more'), () => other.manifests.delete(app, digest));
    await one.put('new', body, { tags: [tag('more')] });
    expect(await found(scene, 'old', 'new', 'more', digest)).toEqual([false, true, true, true]);
    // Its content is protected again.
    expect(await refusal(other.blobs.delete(app, digestOf('layer')))).toBe('405 DENIED');
  });

  it('leave all tags of two pushes of which the second comes right after the deletion', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    // The first finds the record of the second; its own tag went with the record before.
    before(storage, 'write', tagKey('more'), async () => {
      await other.manifests.delete(app, digest);
      await other.put('second', body);
    });
    await one.put('new', body, { tags: [tag('more')] });
    expect(await found(scene, 'old', 'new', 'more', 'second', digest)).toEqual([false, true, true, true, true]);
  });

  it('leave a tag of the push where another push has moved it', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    const moved = image([]);
    await one.pushBlob(empty);
    before(storage, 'write', tagKey('more'), async () => {
      await other.manifests.delete(app, digest);
      await other.put('new', moved);
    });
    await one.put('new', body, { tags: [tag('more')] });
    expect(await found(scene, 'new', 'more', digest)).toEqual([true, true, true]);
    expect((await one.get('new')).digest.toString()).toBe(digestOf(moved).toString());
  });

  it('refuse the push when its content was deleted, too', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    before(storage, 'write', tagKey('new'), async () => {
      await other.manifests.delete(app, digest);
      await other.blobs.delete(app, digestOf('layer'));
    });
    expect(await refusal(one.put('new', body))).toBe('400 MANIFEST_BLOB_UNKNOWN');
    expect(await found(scene, 'new', digest)).toEqual([false, false]);
    expect((await one.listTags()).tags).toEqual([]);
  });

  it('leave everything when pushes go on: the deletion is refused for now', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    before(storage, 'delete', record, () => one.put('new', body), 100);
    expect(await refusal(other.manifests.delete(app, digest))).toBe('503 UNAVAILABLE');
    expect(await found(scene, 'old', 'new', digest)).toEqual([true, true, true]);
  });

  it('leave no entry among referrers without its manifest', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    const signature = image([], { subject: descriptor(body, manifestMediaTypes.ociManifest), artifactType: 'a/sig' });
    const signed = digestOf(signature);
    const listed = async () => (await one.listReferrers(digest)).manifests.length;
    await one.put(signed, signature);
    before(storage, 'delete', keys.manifest(app, signed), () => one.put(signed, signature));
    expect(await refusal(other.manifests.delete(app, signed))).toBe('none');
    expect(await found(scene, signed)).toEqual([false]);
    expect(await listed()).toBe(0);
    // The other way round, the deletion comes before the entry is written.
    before(storage, 'write', keys.referrer(app, digest, signed), () => other.manifests.delete(app, signed));
    await one.put('signed', signature);
    expect(await found(scene, 'signed', signed)).toEqual([true, true]);
    expect(await listed()).toBe(1);
  });

  it('leave the entry among referrers of a push that wins', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    const signature = image([], { subject: descriptor(body, manifestMediaTypes.ociManifest) });
    const signed = digestOf(signature);
    await one.put(signed, signature);
    before(storage, 'delete', keys.manifest(app, signed), () => one.put('signed', signature), 100);
    expect(await refusal(other.manifests.delete(app, signed))).toBe('503 UNAVAILABLE');
    expect((await one.listReferrers(digest)).manifests).toHaveLength(1);
  });

  it('leave its tags when the deletion is refused because of a new index', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    before(storage, 'delete', record, () => one.put('list', index([body])));
    expect(await refusal(other.manifests.delete(app, digest))).toBe('405 DENIED');
    expect(await found(scene, 'old', 'list', digest)).toEqual([true, true, true]);
  });

  it('leave a tag that has been moved to another manifest', async () => {
    await using scene = await start(replicas);
    const { storage, one, other } = scene;
    await one.put('first', body);
    const moved = image([]);
    await one.pushBlob(empty);
    // `first` goes before `old`, which the deletion has listed by then.
    before(storage, 'delete', tagKey('first'), () => one.put('old', moved));
    await other.manifests.delete(app, digest);
    expect(await found(scene, 'first', 'old', digest)).toEqual([false, true, false]);
  });

  it('leave no tag without its manifest when the deletion is garbage collection', async () => {
    using clock = new HandClock();
    await using scene = await start(replicas, { untagged: 0 }, { clock });
    const { storage, one, other } = scene;
    await one.manifests.delete(app, tag('old'));
    clock.pass(2);
    // Only the manifest is old: another image has the same content.
    for (const blob of [empty, 'layer']) await one.pushBlob(blob);
    let push: Promise<string> | undefined;
    before(storage, 'delete', record, async () => {
      push = refusal(one.put('new', body));
      await Promise.race([push, sleep(300)]);
    });
    await other.mirror.app.get(SweepService).run();
    expect(await push).toBe('none');
    expect(await found(scene, 'new', digest)).toEqual([true, true]);
  });
});
