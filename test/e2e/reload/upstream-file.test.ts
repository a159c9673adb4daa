import { appendFileSync, truncateSync } from 'node:fs';
import { readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { UpstreamClient } from '../../../src/upstream/upstream.client.js';
import { UpstreamsService } from '../../../src/upstream/upstreams.service.js';
import { makeBlob } from '../../fixtures/images.js';
import { heldBlob } from '../support/held-blob.js';
import { Gate } from '../support/gate.js';
import { Scrape } from '../support/metrics.js';
import { until } from '../support/until.js';
import { request } from '../../fakes/request.js';
import type { ReloadReport } from '../../../src/config/reload/reloads.js';
import { entry, image, manifestPath, Scene, soon } from './support/scene.js';

const applied = 'oci_registry_reloads_total{result="applied"}';
const rejected = 'oci_registry_reloads_total{result="rejected"}';
const isRejected = 'oci_registry_reload_rejected';

describe('the upstream file', () => {
  it('counts within 2 s when entries are added, changed and removed, without a failed request', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    await scene.start(entry('one.test', one));
    expect(await scene.statusOf(manifestPath('two.test'))).toBe(404);
    const statuses = new Set<number>();
    const stopped = new AbortController();
    const pulling = (async () => {
      while (!stopped.signal.aborted) statuses.add(await scene.statusOf());
    })();
    const before = performance.now();
    await scene.replace('upstreams.yaml', entry('one.test', one) + entry('two.test', two));
    await scene.becomes(200, manifestPath('two.test'));
    expect(performance.now() - before).toBeLessThan(process.env.CI === 'true' ? 15_000 : 4_000);
    await scene.replace('upstreams.yaml', entry('one.test', one, 'tag_ttl: 1s') + entry('two.test', two));
    await scene.says('one.test changed (tag_ttl)');
    await scene.replace('upstreams.yaml', entry('one.test', one, 'tag_ttl: 1s'));
    await scene.says('two.test removed');
    expect(await scene.statusOf(manifestPath('two.test'))).toBe(404);
    stopped.abort();
    await pulling;
    expect([...statuses]).toEqual([200]);
    const scrape = await Scrape.of(scene.mirror.url);
    expect(scrape.series.filter((series) => series.includes('two.test'))).toEqual([]);
    expect([scrape.get(applied), scrape.get(rejected), scrape.get(isRejected)]).toEqual([3, 0, 0]);
    expect(scene.mirror.log).not.toContain(two.host);
  });

  it('leaves upstreams alone that stay the same: their state and their connections', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    await scene.start(entry('one.test', one) + entry('two.test', two));
    await scene.mirror.request.get(manifestPath('one.test', 'absent'));
    const service = scene.mirror.app.get(UpstreamsService);
    const [docker, first, second] = [...service.all];
    const sockets = one.openSockets;
    expect(sockets).toBeGreaterThan(0);
    await scene.replace('upstreams.yaml', entry('two.test', two, 'tag_ttl: 1s') + entry('one.test', one));
    await scene.says('two.test changed (tag_ttl)');
    const now = new Map([...service.all].map((upstream) => [upstream.id, upstream]));
    expect(now.get('docker.io')).toBe(docker);
    expect(now.get('one.test')).toBe(first);
    expect(now.get('two.test')).not.toBe(second);
    expect(one.openSockets).toBe(sockets);
    await scene.mirror.request.get(manifestPath('one.test', 'other'));
    expect(one.openSockets).toBe(sockets);
    expect(
      scene.mirror.app.get(UpstreamClient).states.map(({ namespace, outcome }) => [namespace, outcome.condition]),
    ).toEqual([
      ['docker.io', 'not-contacted'],
      ['two.test', 'not-contacted'],
      ['one.test', 'up'],
    ]);
  });

  it('ends no download: it goes on with the upstream that it began with, which may be gone', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    await scene.start(entry('one.test', one) + entry('two.test', two));
    const blob = makeBlob(600_000, 'reload');
    for (const registry of [one, two]) registry.addBlob('team/app', blob);
    const gates = [new Gate(), new Gate()];
    for (const [index, registry] of [one, two].entries())
      registry.behaviour.before = heldBlob(blob, 300_000, gates[index]!);
    const pulls = ['one.test', 'two.test'].map((name) =>
      request(`${scene.mirror.url}/v2/${name}/team/app/blobs/${blob.digest}`),
    );
    await until('both are on their way', () => one.inFlight + two.inFlight === 2);
    await scene.replace('upstreams.yaml', entry('one.test', one, 'max_connections: 3'));
    await scene.says('two.test removed');
    for (const gate of gates) gate.open();
    for (const { status, body } of await Promise.all(pulls))
      expect([status, body.equals(blob.body)]).toEqual([200, true]);
    await until('its idle connections are closed', () => two.openSockets === 0);
    expect(await scene.statusOf(`/v2/two.test/team/app/blobs/${blob.digest}`)).toBe(404);
    expect(await scene.statusOf(`/v2/one.test/team/app/blobs/${blob.digest}`)).toBe(200);
  });

  it('with a mistake changes nothing, which is logged once and shown, until it is mended', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    await scene.start(entry('one.test', one));
    const mistakes: [string, RegExp][] = [
      ['- { namespace: one.test, host: [\n', /upstreams: .*upstreams\.yaml, line \d/],
      ['- namespace: one.test\n  hots: planted-host\n', /hots.*did you mean host.*upstreams\.yaml, line 2/],
      ['', /--upstream-config-file: a file: is empty: it configures no registry/],
      ['- { namesp', /upstreams/],
    ];
    for (const [text, message] of mistakes) {
      await scene.replace('upstreams.yaml', text);
      await until('it is known', () => message.test(scene.reloads.rejected?.problems.join('\n') ?? ''), soon);
    }
    await sleep(1_200);
    const lines = scene.mirror.log.split('\n').filter((line) => line.includes('what was read before stays'));
    expect(lines).toHaveLength(mistakes.length);
    for (const [index, [, message]] of mistakes.entries()) expect(lines[index]).toMatch(message);
    expect(scene.mirror.log).not.toContain('planted-host');
    expect(await scene.statusOf()).toBe(200);
    expect((await scene.mirror.request.get('/readyz')).status).toBe(200);
    expect((await Scrape.of(scene.mirror.url)).get(isRejected)).toBe(1);
    const page = () => scene.mirror.request.get('/').set('accept', 'text/html');
    expect((await page()).text).toContain('not in use');
    await scene.replace('upstreams.yaml', entry('one.test', one));
    await scene.says('have no mistake any more');
    expect((await Scrape.of(scene.mirror.url)).get(isRejected)).toBe(0);
    expect((await page()).text).not.toContain('not in use');
  });

  it('is not used while it is being written, though each part of a list is a list', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    const parts = [entry('one.test', one), entry('two.test', two), entry('three.test', two)];
    await scene.start(parts.join(''));
    // In place, slower than the interval of looks, faster than the time in which it has to rest.
    truncateSync(scene.upstreamFile);
    for (const part of [...parts, '# the end\n']) {
      // At once, so that a machine that stalls does not look before it writes.
      appendFileSync(scene.upstreamFile, part);
      await sleep(80);
    }
    await sleep(1_500);
    expect(scene.mirror.log).not.toMatch(/removed|added|stays/);
  });

  it('is not used while it is being written slowly, even when somebody asks, until it is complete', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    const parts = [entry('one.test', one), entry('two.test', two), entry('three.test', two)];
    await scene.start(parts.join(''));
    truncateSync(scene.upstreamFile);
    let report: Promise<ReloadReport> | undefined;
    for (let step = 0; step < 32; step += 1) {
      appendFileSync(scene.upstreamFile, step < parts.length ? parts[step]! : `# ${step}\n`);
      if (step === parts.length - 1) truncateSync(scene.upstreamFile, parts[0]!.length);
      if (step === 31) appendFileSync(scene.upstreamFile, parts.slice(1).join(''));
      if (step === 3) report = scene.reloads.reload();
      await sleep(80);
    }
    expect(await report).toMatchObject({ result: 'rejected', problems: ['a file is still being written'] });
    expect(await scene.reloads.reload()).toMatchObject({ result: 'unchanged' });
    expect(scene.mirror.log).not.toMatch(/removed|added/);
  });

  it('may be gone for a while', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    await scene.start(entry('one.test', one));
    await rm(scene.upstreamFile);
    await scene.says(/--upstream-config-file: .*ENOENT.*; what was read before stays/);
    expect(await scene.statusOf()).toBe(200);
    await scene.replace('upstreams.yaml', entry('one.test', one, 'tag_ttl: 2s'));
    await scene.says('one.test changed (tag_ttl)');
  });

  it('counts through symbolic links, as Kubernetes changes a mounted volume', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(), await scene.registry()];
    await scene.start(entry('one.test', one));
    // upstreams.yaml -> ..data/upstreams.yaml, ..data -> ..1
    const volume = async (name: string, text: string) => {
      await writeFile(scene.folder.file(name), text);
      await symlink(scene.folder.file(name), scene.folder.file('..data.new'));
      await rename(scene.folder.file('..data.new'), scene.folder.file('..data'));
    };
    await volume('..1', entry('one.test', one));
    await symlink('..data', scene.folder.file('link'));
    await rename(scene.folder.file('link'), scene.upstreamFile);
    await until('it has looked', () => scene.reloads.counts.unchanged > 0);
    await volume('..2', entry('one.test', one) + entry('two.test', two));
    await scene.becomes(200, manifestPath('two.test'));
    expect(await readdir(scene.folder.path)).toContain('..data');
  });

  it('makes a registry unconfigured that it names no more; what is cached of it stays subject to permission', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry({ auth: 'basic', anonymous: false });
    const more = 'username: user, password: planted-password';
    await scene.start(entry('one.test', one, more), { server: { unknownNamespaces: 'deny' } });
    const blob = image.layers[0]!;
    const path = `/v2/one.test/team/app/blobs/${blob.digest}`;
    expect([await scene.statusOf(), await scene.statusOf(path)]).toEqual([200, 200]);
    await scene.mirror.settled();
    await scene.replace('upstreams.yaml', '[]\n');
    await scene.says('one.test removed');
    expect([await scene.statusOf(), await scene.statusOf(path)]).toEqual([404, 404]);
    // Without the credentials, the registry refuses what they brought.
    await scene.replace('upstreams.yaml', entry('one.test', one, 'access_recheck_time: 1s'));
    await scene.says('one.test added');
    await sleep(1_100);
    expect([await scene.statusOf(), await scene.statusOf(path)]).not.toContain(200);
    expect(scene.mirror.log).not.toContain('planted-password');
  });

  it('asks at once about what credentials brought when they are removed, not when another key changes', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry({ auth: 'basic', anonymous: false });
    const more = 'username: user, password: planted-password';
    await scene.start(entry('one.test', one, more));
    const paths = [image.layers[0]!, image.config].map(({ digest }) => `/v2/one.test/team/app/blobs/${digest}`);
    paths.push(manifestPath('one.test', image.manifest.digest), manifestPath());
    const statuses = async () => {
      const found: number[] = [];
      for (const path of paths) found.push(await scene.statusOf(path));
      return found;
    };
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    await scene.mirror.settled();
    await scene.replace('upstreams.yaml', entry('one.test', one, `${more}, max_connections: 7`));
    await scene.says('one.test changed (max_connections)');
    one.reset();
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    expect(one.requests).toEqual([]);
    await scene.replace('upstreams.yaml', entry('one.test', one));
    await scene.says(/one\.test changed \(.*username/);
    expect(await statuses()).not.toContain(200);
  });
});
