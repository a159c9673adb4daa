import { describe, expect, it } from 'vitest';
import { SpaceLedger } from '../../src/storage/space/space.ledger.js';
import { bytes, content, drip, head, stallAfter, wrongBytes, type Script } from '../fakes/scripted-upstream.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { pull, Watcher } from './support/client.js';
import { Gate, until } from './support/gate.js';
import { Rivals } from './support/rivals.js';

const blob = makeBlob(1_000_000, 'wanted by all');
const small = makeBlob(10_000, 'wanted by all, and small');
/** Milliseconds in which good's client has what good sends at once, on a busy machine. */
const soon = 2_000;

const announced = ({ body }: FixtureBlob) => head(200, { 'content-length': body.length });
/** One byte each five seconds. */
const dripping = (of: FixtureBlob): Script => [announced(of), drip(of.body, 0.2)];
/** Other bytes of the right length, of which the last never comes. */
const lying = (of: FixtureBlob): Script => {
  const wrong = Buffer.alloc(of.body.length, 'evil');
  return stallAfter(wrong, wrong.length - 1);
};

/** How many of the bytes that a client got are not good's. */
const foreign = (received: Buffer, offset: number, { body }: FixtureBlob) =>
  received.filter((byte, at) => byte !== body[offset + at]).length;

async function timed<T>(action: Promise<T>): Promise<{ outcome: T; took: number }> {
  const start = performance.now();
  return { outcome: await action, took: performance.now() - start };
}

describe.each([
  ['drips', dripping],
  ['lies', lying],
])('while the other registry %s', (_, script) => {
  it.each([
    ['a large blob', blob],
    ['a small one', small],
  ])('a client of %s gets it from its own', async (_name, wanted) => {
    await using rivals = await Rivals.start();
    rivals.serve('evil', wanted, { scripts: [script(wanted)] });
    rivals.serve('good', wanted);
    const first = pull(rivals.blobUrl('evil', wanted), wanted.body);
    await until(() => rivals.gets('evil', wanted) === 1, 'evil was asked');
    const { outcome, took } = await timed(pull(rivals.blobUrl('good', wanted), wanted.body));
    expect([outcome.verdict, foreign(outcome.body, 0, wanted)]).toEqual(['right', 0]);
    expect(took).toBeLessThan(soon);
    expect(rivals.gets('good', wanted)).toBe(1);
    await rivals.evil.kill();
    expect((await first).verdict).not.toBe('wrong');
    await rivals.settled();
    expect((await pull(rivals.blobUrl('good', wanted), wanted.body)).headers['x-cache']).toBe('HIT');
  });

  it('a range is of the own registry', async () => {
    await using rivals = await Rivals.start();
    rivals.serve('evil', blob, { scripts: [script(blob)] });
    rivals.serve('good', blob);
    const evil = await Watcher.open(rivals.blobUrl('evil', blob), blob.body);
    await evil.has(1);
    evil.leave();
    const part = blob.body.subarray(1_000, 900_000);
    const range = { headers: { range: 'bytes=1000-899999' } };
    const { outcome, took } = await timed(pull(rivals.blobUrl('good', blob), part, range));
    expect([outcome.status, outcome.verdict, foreign(outcome.body, 1_000, blob)]).toEqual([206, 'right', 0]);
    expect(took).toBeLessThan(soon);
  });

  it('a client at another replica gets it from its own', async () => {
    await using rivals = await Rivals.start({ replicas: 2 });
    rivals.serve('evil', blob, { scripts: [script(blob)] });
    rivals.serve('good', blob);
    const evil = await Watcher.open(rivals.blobUrl('evil', blob), blob.body);
    await evil.has(1);
    await until(async () => (await storedFiles(rivals.folder.path)).some((file) => /^leases/.test(file)), 'a lease');
    const { outcome, took } = await timed(pull(rivals.blobUrl('good', blob, { replica: 1 }), blob.body));
    expect([outcome.verdict, foreign(outcome.body, 0, blob)]).toEqual(['right', 0]);
    expect(took).toBeLessThan(soon);
    expect(rivals.gets('good', blob)).toBe(1);
    evil.leave();
  });

  it('the route of replicas gives none of it for the own registry', async () => {
    await using rivals = await Rivals.start({ replicas: 2 });
    rivals.serve('evil', blob, { scripts: [script(blob)] });
    rivals.serve('good', blob);
    const evil = await Watcher.open(rivals.blobUrl('evil', blob), blob.body);
    await evil.has(1);
    for (const replica of [0, 1]) {
      const headers = { 'oci-registry-follower': 'somebody' };
      const { outcome, took } = await timed(pull(rivals.blobUrl('good', blob, { replica }), blob.body, { headers }));
      expect([outcome.verdict, foreign(outcome.body, 0, blob)]).toEqual(['right', 0]);
      expect(took).toBeLessThan(soon);
    }
    evil.leave();
  });
});

describe('two downloads of one blob', () => {
  it.each([
    ['good', 'evil'],
    ['evil', 'good'],
  ] as const)('end well, also when the one of %s ends first', async (earlier, later) => {
    await using rivals = await Rivals.start();
    using gate = new Gate();
    const half = blob.body.length / 2;
    const held: Script = [
      announced(blob),
      bytes(blob.body.subarray(0, half)),
      gate.step,
      bytes(blob.body.subarray(half)),
    ];
    rivals.serve(later, blob, { scripts: [held] });
    rivals.serve(earlier, blob);
    const slow = await Watcher.open(rivals.blobUrl(later, blob), blob.body);
    await slow.has(100_000);
    expect((await pull(rivals.blobUrl(earlier, blob), blob.body)).verdict).toBe('right');
    await until(
      async () => (await storedFiles(rivals.folder.path)).some((file) => file.startsWith('blobs/')),
      'stored',
    );
    gate.open();
    expect(await slow.isWhole()).toBe(true);
    await rivals.settled();
    for (const side of ['good', 'evil'] as const) {
      const again = await pull(rivals.blobUrl(side, blob), blob.body);
      expect([again.verdict, again.headers['x-cache'], rivals.gets(side, blob)]).toEqual(['right', 'HIT', 1]);
    }
    expect(rivals.mirror.app.get(SpaceLedger).objects).toBe(1);
  });

  it('are one request at each registry, however many clients there are', async () => {
    await using rivals = await Rivals.start();
    const popular = makeBlob(100_000, 'popular');
    using gate = new Gate();
    const held: Script = [
      announced(popular),
      bytes(popular.body.subarray(0, 1_000)),
      gate.step,
      bytes(popular.body.subarray(1_000)),
    ];
    for (const side of ['good', 'evil'] as const) rivals.serve(side, popular, { scripts: [held] });
    const clients = Array.from({ length: 1_000 }, (_, index) =>
      pull(rivals.blobUrl(index % 2 === 0 ? 'good' : 'evil', popular), popular.body),
    );
    await until(() => rivals.gets('good', popular) > 0 && rivals.gets('evil', popular) > 0, 'both were asked');
    gate.open();
    const verdicts = (await Promise.all(clients)).map(({ verdict }) => verdict);
    expect(new Set(verdicts)).toEqual(new Set(['right']));
    expect([rivals.gets('good', popular), rivals.gets('evil', popular)]).toEqual([1, 1]);
  });

  it('fail each for itself', async () => {
    await using rivals = await Rivals.start();
    rivals.serve('evil', blob, { scripts: [wrongBytes(blob.body)] });
    rivals.serve('good', blob);
    const outcomes = await Promise.all(
      (['evil', 'good', 'evil', 'good'] as const).map((side) => pull(rivals.blobUrl(side, blob), blob.body)),
    );
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(['broken', 'right', 'broken', 'right']);
  });
});

describe('another repository of the same registry', () => {
  it('joins its download once the registry agrees', async () => {
    await using rivals = await Rivals.start();
    using gate = new Gate();
    const held: Script = [
      announced(blob),
      bytes(blob.body.subarray(0, 1_000)),
      gate.step,
      bytes(blob.body.subarray(1_000)),
    ];
    rivals.serve('good', blob, { scripts: [held] });
    rivals.good.on('HEAD', `/v2/other/blobs/${blob.digest}`, content(blob.body));
    const owner = await Watcher.open(rivals.blobUrl('good', blob), blob.body);
    const other = pull(rivals.blobUrl('good', blob, { repository: 'other' }), blob.body);
    const stranger = await pull(rivals.blobUrl('good', blob, { repository: 'stranger' }), blob.body);
    expect(stranger.status).toBe(404);
    gate.open();
    expect([(await other).verdict, await owner.isWhole()]).toEqual(['right', true]);
    expect(rivals.gets('good', blob)).toBe(1);
  });
});
