import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { DrainService } from '../../src/distribution/server/drain.service.js';
import { DownloadsService } from '../../src/registry/mirrored/downloads/downloads.service.js';
import { Mirror, type MirrorOptions } from '../e2e/support/mirror.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import * as scripted from '../fakes/scripted-upstream.js';
import { ScriptedUpstream, type Script, type Step } from '../fakes/scripted-upstream.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { codeOf, pull, pullRaw, Watcher } from './support/client.js';
import { FastTime } from './support/fast-time.js';
import { Gate, until } from './support/gate.js';
import { storedDigests } from './support/stored.js';

const app = RepositoryRef.parse('registry.test/app');
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
/** Bytes at the end that nobody gets before the whole is verified. */
const heldBack = 64 * kibibyte;
const { bytes, chunked, head } = scripted;

/** A mirror of one upstream that does what a test scripts. */
class Stage implements AsyncDisposable {
  private constructor(
    readonly upstream: ScriptedUpstream,
    readonly mirror: Mirror,
  ) {}

  static async set(options: MirrorOptions = {}): Promise<Stage> {
    const upstream = await ScriptedUpstream.start();
    const upstreams = [{ namespace: 'registry.test', host: upstream.host }];
    return new Stage(upstream, await Mirror.start({ upstreams, ...options }));
  }

  url({ digest }: FixtureBlob): string {
    return `${this.mirror.url}/v2/registry.test/app/blobs/${digest}`;
  }

  respond({ digest }: FixtureBlob, ...scripts: [Script, ...Script[]]): void {
    this.upstream.on('GET', `/v2/app/blobs/${digest}`, ...scripts);
  }

  received({ digest }: FixtureBlob): number {
    return this.mirror.app.get(DownloadsService).find(app, Digest.parse(digest))?.received ?? 0;
  }

  async hasReceived(blob: FixtureBlob, count: number): Promise<void> {
    await until(() => this.received(blob) >= count, `${count} bytes were received`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.upstream.close();
  }
}

const announced = ({ body }: FixtureBlob): Step => head(200, { 'content-length': body.length });

describe('many clients of one cold blob', () => {
  it('cost the upstream one request, and all of the two hundred get the right bytes', async () => {
    await using registry = await FakeRegistry.start();
    const blob = makeBlob(20_000_000, 'crowd');
    registry.addBlob('app', blob);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    const url = `${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`;
    const clients = await Promise.all(Array.from({ length: 200 }, () => Watcher.open(url, blob.body)));
    const whole = await Promise.all(clients.map((client) => client.isWhole()));
    expect(whole.filter((is) => !is)).toEqual([]);
    expect(registry.requests.map(({ method, kind }) => `${method} ${kind}`)).toEqual(['GET blob']);
    expect(registry.bodyBytes()).toBe(blob.body.length);
  });

  it.each([0, 1, heldBack, heldBack + 1])('of %i bytes cost one request, too', async (size) => {
    await using registry = await FakeRegistry.start({ delayHeaders: 20 });
    const blob = makeBlob(size, 'small crowd');
    registry.addBlob('app', blob);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    const url = `${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`;
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => pull(url, blob.body)));
    expect(new Set(outcomes.map(({ verdict }) => verdict))).toEqual(new Set(['right']));
    expect(registry.requests).toHaveLength(1);
  });
});

describe('a client that leaves', () => {
  it.each(['the first', 'a later one', 'every one'])('hurts nobody, and the download is kept: %s', async (who) => {
    await using stage = await Stage.set();
    const blob = makeBlob(mebibyte, who);
    const gate = new Gate();
    stage.respond(blob, [
      announced(blob),
      bytes(blob.body.subarray(0, 300_000)),
      gate.step,
      bytes(blob.body.subarray(300_000)),
    ]);
    const open = () => Watcher.open(stage.url(blob), blob.body);
    const clients = [await open(), await open(), await open()];
    const leaving = who === 'every one' ? [0, 1, 2] : [who === 'the first' ? 0 : 1];
    await Promise.all(clients.map((client) => client.has(200_000)));
    for (const index of leaving) clients[index]?.leave();
    const staying = clients.filter((_, index) => !leaving.includes(index));
    await until(() => stage.mirror.app.get(DrainService).count === staying.length, 'the others had left');
    gate.open();
    expect(await Promise.all(staying.map((client) => client.isWhole()))).toEqual(staying.map(() => true));
    await stage.mirror.settled();
    const later = await pull(stage.url(blob), blob.body);
    expect([later.verdict, later.headers['x-cache'], stage.upstream.requests.length]).toEqual(['right', 'HIT', 1]);
  });

  it('before there is an answer leaves a download that is finished and kept', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(mebibyte, 'early');
    const gate = new Gate();
    stage.respond(blob, [gate.step, announced(blob), bytes(blob.body)]);
    const leave = new AbortController();
    const left = pull(stage.url(blob), blob.body, { signal: leave.signal });
    await until(() => stage.upstream.requests.length === 1, 'the upstream was asked');
    leave.abort();
    expect((await left).verdict).toBe('broken');
    gate.open();
    await stage.mirror.settled();
    expect(await storedDigests(stage.mirror)).toEqual([blob.digest]);
  });

  it('does so at any moment, a hundred times, and the last one still gets everything', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(mebibyte, 'coming and going');
    const gate = new Gate();
    stage.respond(blob, [
      announced(blob),
      bytes(blob.body.subarray(0, 600_000)),
      gate.step,
      bytes(blob.body.subarray(600_000)),
    ]);
    for (let round = 0; round < 100; round += 1) {
      const client = await Watcher.open(stage.url(blob), blob.body);
      if (round % 3 > 0) await client.has(round % 3 === 1 ? 1 : 400_000);
      client.leave();
    }
    const last = await Watcher.open(stage.url(blob), blob.body);
    gate.open();
    expect([await last.isWhole(), stage.upstream.requests.length]).toEqual([true, 1]);
  });
});

describe('clients at their own speed', () => {
  it('do not wait for one that reads nothing', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(24 * mebibyte, 'slow');
    stage.respond(blob, scripted.content(blob.body));
    const slow = await Watcher.open(stage.url(blob), blob.body);
    slow.pause();
    const fast = await Promise.all([1, 2, 3].map(() => Watcher.open(stage.url(blob), blob.body)));
    expect(await Promise.all(fast.map((client) => client.isWhole()))).toEqual([true, true, true]);
    expect(slow.received).toBeLessThan(blob.body.length);
    await stage.mirror.app.get(DownloadsService).idle();
    expect(await storedDigests(stage.mirror)).toEqual([blob.digest]);
    slow.resume();
    expect(await slow.isWhole()).toBe(true);
  });

  it('join in the middle and begin at the beginning', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(2 * mebibyte, 'joiners');
    const gates = [new Gate(), new Gate(), new Gate()];
    const quarter = blob.body.length / 4;
    const parts = [0, 1, 2, 3].map((index) => bytes(blob.body.subarray(index * quarter, (index + 1) * quarter)));
    stage.respond(blob, [
      announced(blob),
      ...parts.flatMap((part, index) => [part, gates[index]?.step ?? (() => undefined)]),
    ]);
    const clients = [await Watcher.open(stage.url(blob), blob.body)];
    for (const [index, gate] of gates.entries()) {
      await stage.hasReceived(blob, quarter * (index + 1));
      const joiner = await Watcher.open(stage.url(blob), blob.body);
      await joiner.has(Math.min(quarter * (index + 1), blob.body.length - heldBack));
      clients.push(joiner);
      gate.open();
    }
    expect(await Promise.all(clients.map((client) => client.isWhole()))).toEqual(clients.map(() => true));
    expect(stage.upstream.requests).toHaveLength(1);
  });

  it('get a range as soon as the download covers it, and not before', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(2 * mebibyte, 'ranges');
    const gate = new Gate();
    stage.respond(blob, [
      announced(blob),
      bytes(blob.body.subarray(0, mebibyte)),
      gate.step,
      bytes(blob.body.subarray(mebibyte)),
    ]);
    const ask = (first: number, last: number) =>
      pull(stage.url(blob), blob.body.subarray(first, last + 1), { headers: { range: `bytes=${first}-${last}` } });
    const covered = await Promise.all([ask(0, 0), ask(5, 999), ask(500_000, mebibyte - 1)]);
    expect(covered.map(({ verdict, status }) => `${verdict} ${status}`)).toEqual(Array(3).fill('right 206'));
    let isDone = false;
    const across = ask(mebibyte - 10, mebibyte + 10).finally(() => (isDone = true));
    const tail = ask(2 * mebibyte - 100, 2 * mebibyte - 1);
    await ask(0, mebibyte - 1);
    expect(isDone).toBe(false);
    gate.open();
    expect([(await across).verdict, (await tail).verdict]).toEqual(['right', 'right']);
    expect(stage.upstream.requests).toHaveLength(1);
  });
});

describe('a cold blob', () => {
  it('has its first byte at the client at most 100 ms after the upstream sent it', async () => {
    await using stage = await Stage.set();
    const delays: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const blob = makeBlob(mebibyte, `first byte ${round}`);
      const [gate, end] = [new Gate(), new Gate()];
      stage.respond(blob, [
        announced(blob),
        gate.step,
        bytes(blob.body.subarray(0, 1)),
        end.step,
        bytes(blob.body.subarray(1)),
      ]);
      const client = await Watcher.open(stage.url(blob), blob.body);
      const sentAt = performance.now();
      gate.open();
      await client.has(1);
      delays.push((client.firstByteAt ?? Infinity) - sentAt);
      end.open();
      expect(await client.isWhole()).toBe(true);
    }
    expect(Math.min(...delays)).toBeLessThanOrEqual(100);
  });

  it('has its headers at the client before the upstream has sent a byte of it', async () => {
    await using stage = await Stage.set();
    const blob = makeBlob(mebibyte, 'headers');
    const gate = new Gate();
    stage.respond(blob, [announced(blob), gate.step, bytes(blob.body)]);
    const client = await Watcher.open(stage.url(blob), blob.body);
    expect(client.response.statusCode).toBe(200);
    expect(client.response.headers['content-length']).toBe(String(mebibyte));
    expect(client.received).toBe(0);
    gate.open();
    expect(await client.isWhole()).toBe(true);
  });

  it.each([heldBack + 1, 5 * heldBack, 5 * heldBack + 1])(
    'of %i bytes ends 64 KiB early for everybody until it has been verified',
    async (size) => {
      await using stage = await Stage.set();
      const blob = makeBlob(size, 'last byte');
      const gate = new Gate();
      stage.respond(blob, [
        announced(blob),
        bytes(blob.body.subarray(0, -1)),
        gate.step,
        bytes(blob.body.subarray(-1)),
      ]);
      const clients = await Promise.all([1, 2, 3].map(() => Watcher.open(stage.url(blob), blob.body)));
      await Promise.all(clients.map((client) => client.has(size - heldBack)));
      await stage.hasReceived(blob, size - 1);
      const joiner = await Watcher.open(stage.url(blob), blob.body);
      await joiner.has(size - heldBack);
      for (const client of [...clients, joiner]) expect(client.received).toBe(size - heldBack);
      gate.open();
      expect(await Promise.all([...clients, joiner].map((client) => client.isWhole()))).toEqual(Array(4).fill(true));
    },
  );

  it('is not downloaded for a HEAD, and its size is told', async () => {
    await using registry = await FakeRegistry.start();
    const blob = makeBlob(mebibyte, 'head');
    registry.addBlob('app', blob);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    const url = `${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`;
    const outcome = await pull(url, Buffer.alloc(0), { method: 'HEAD' });
    expect([outcome.status, outcome.headers['content-length']]).toEqual([200, String(mebibyte)]);
    expect(registry.requests.map(({ method }) => method)).toEqual(['HEAD']);
    expect(await storedDigests(mirror)).toEqual([]);
  });

  it.each([0, 1, heldBack, heldBack + 1, mebibyte])('of %i bytes may come without its size', async (size) => {
    await using stage = await Stage.set();
    for (const pullOnce of [pull, pullRaw]) {
      const blob = makeBlob(size, `unknown ${pullOnce.name}`);
      const parts = [blob.body.subarray(0, size / 3), blob.body.subarray(size / 3)].filter(({ length }) => length > 0);
      stage.respond(blob, [head(200, { 'transfer-encoding': 'chunked' }), chunked(parts)]);
      expect((await pullOnce(stage.url(blob), blob.body)).verdict).toBe('right');
      await stage.mirror.settled();
      const stored = await pull(stage.url(blob), blob.body);
      expect([stored.verdict, stored.headers['content-length']]).toEqual(['right', String(size)]);
    }
  });
});

describe('the bound on downloads', () => {
  it('makes the others wait for their turn', async () => {
    await using registry = await FakeRegistry.start({ bytesPerSecond: 10_000_000 });
    const blobs = Array.from({ length: 8 }, (_, index) => makeBlob(500_000, `turn ${index}`));
    for (const blob of blobs) registry.addBlob('app', blob);
    await using mirror = await Mirror.start({
      server: { maxDownloads: 2 },
      upstreams: [{ namespace: 'registry.test', host: registry.host }],
    });
    const outcomes = await Promise.all(
      blobs.map((blob) => pull(`${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body)),
    );
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(blobs.map(() => 'right'));
    expect(registry.peakInFlight).toBeLessThanOrEqual(2);
  });

  it('refuses with 503 what would wait behind too many, and takes it later', async () => {
    await using stage = await Stage.set({ server: { maxDownloads: 1 } });
    const gate = new Gate();
    const blobs = Array.from({ length: 20 }, (_, index) => makeBlob(1000, `too many ${index}`));
    for (const blob of blobs) stage.respond(blob, [gate.step, announced(blob), bytes(blob.body)]);
    const first = blobs.slice(0, 17).map((blob) => pull(stage.url(blob), blob.body));
    const downloads = stage.mirror.app.get(DownloadsService);
    await until(() => downloads.count === 17, 'one runs and sixteen wait');
    const rest = await Promise.all(blobs.slice(17).map((blob) => pull(stage.url(blob), blob.body)));
    for (const refused of rest) {
      expect([refused.verdict, refused.status, codeOf(refused)]).toEqual(['refused', 503, 'UNAVAILABLE']);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }
    gate.open();
    expect((await Promise.all(first)).map(({ verdict }) => verdict)).toEqual(first.map(() => 'right'));
    for (const blob of blobs.slice(17)) expect((await pull(stage.url(blob), blob.body)).verdict).toBe('right');
  });
});

describe('an upstream that says nothing', () => {
  it('is answered for with 504 within 25 seconds, whatever is asked', async () => {
    await using stage = await Stage.set();
    stage.upstream.on('*', /./, [scripted.silence()]);
    const blob = makeBlob(1000, 'silence');
    const base = `${stage.mirror.url}/v2/registry.test/app`;
    const urls = [
      `${base}/blobs/${blob.digest}`,
      `${base}/manifests/latest`,
      `${base}/manifests/${blob.digest}`,
      `${base}/tags/list`,
      `${base}/referrers/${blob.digest}`,
    ];
    using time = new FastTime();
    const outcomes = await Promise.all(urls.map((url) => pull(url, Buffer.alloc(0))));
    expect(time.seconds).toBeLessThanOrEqual(26);
    expect(outcomes.map(({ verdict, status }) => `${verdict} ${status}`)).toEqual(urls.map(() => 'refused 504'));
    await stage.mirror.settled();
  });
});
