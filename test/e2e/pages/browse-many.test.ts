import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { Tag } from '../../../src/oci/reference.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { keys } from '../../../src/storage/keys.js';
import { MemoryProvider } from '../../../src/storage/providers/memory/memory.provider.js';
import type { ObjectEntry } from '../../../src/storage/storage.provider.js';
import { app, digestOf, HostedRegistry, image } from '../hosted/support/registry.js';
import type { Mirror } from '../support/mirror.js';
import { pageText } from '../support/pages.js';
import { until } from '../support/until.js';

const count = 100_000;
const link = (page: string, query: Record<string, string>) => `/_ui/${page}?${new URLSearchParams(query).toString()}`;

/** A storage with very many objects, which lists them a thousand at a time, as S3 does. Their content is made when it is read. */
class LargeStorage extends MemoryProvider {
  private readonly made: ReadonlyMap<string, () => string>;

  constructor(objects: Iterable<readonly [key: string, content: () => string]>) {
    super();
    this.made = new Map([...objects].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  override read(key: string, limit: number): Promise<Buffer> {
    const content = this.made.get(key);
    return content ? Promise.resolve(Buffer.from(content())) : super.read(key, limit);
  }

  override stat(key: string): Promise<ObjectEntry> {
    return this.made.has(key) ? Promise.resolve({ key, size: 200, usedAt: new Date(0) }) : super.stat(key);
  }

  override async *list(prefix: string): AsyncIterable<ObjectEntry> {
    let listed = 0;
    for (const key of this.made.keys()) {
      if (!key.startsWith(`${prefix}/`)) continue;
      if (listed % 1_000 === 0) await sleep(1);
      listed += 1;
      yield { key, size: 200, usedAt: new Date((listed * 7919) % 1_000_000) };
    }
    yield* super.list(prefix);
  }
}

/** Milliseconds: how long each page took, and how long it kept the event loop at most. */
class Times {
  readonly pages: number[] = [];
  readonly delays: number[] = [];

  async page(mirror: Mirror, path: string): Promise<string> {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const start = performance.now();
    const text = await pageText(mirror, path);
    this.pages.push(performance.now() - start);
    // A delay is noted when the next timer of the monitor is late.
    await sleep(5);
    delay.disable();
    this.delays.push(delay.max / 1e6);
    return text;
  }

  report(what: string): void {
    const line = (values: readonly number[]) =>
      `median ${medianOf(values).toFixed(1)} ms, longest ${Math.max(...values).toFixed(1)} ms`;
    console.info(`${what}: page ${line(this.pages)}; event loop ${line(this.delays)}`);
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Infinity;
}

/** All pages do the same work: what other processes take from a busy machine is in the slower ones. */
function quartileOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 4)] ?? Infinity;
}

it('pages of 100,000 repositories, and searches among them, keep the event loop for less than 50 ms', async () => {
  const name = (at: number) => `team-${(at * 7919) % 997}/app-${at}`;
  const objects = Array.from({ length: count }, (_, at) => {
    const repository = RepositoryRef.parse(`local/${name(at)}`);
    const record = JSON.stringify({ version: 1, hosted: true, namespace: 'local', name: name(at) });
    return [
      [keys.hostedTag(repository, Tag.parse('v1')), () => ''] as const,
      [keys.cataloged(repository), () => record] as const,
    ];
  });
  const storage = new LargeStorage(objects.flat());
  await using registry = await HostedRegistry.start({}, { server: { sweepInterval: 0 }, storage });
  const { mirror } = registry;
  const times = new Times();
  const start = performance.now();
  await until(
    'all are listed',
    async () => (await times.page(mirror, '/_ui/repositories')).includes('Next page'),
    60_000,
  );
  console.info(`list of ${count} repositories: ${Math.round(performance.now() - start)} ms`);
  let path = '/_ui/repositories';
  const seen: string[] = [];
  for (let page = 0; page < 20; page += 1) {
    const text = await times.page(mirror, path);
    seen.push(...[...text.matchAll(/>local\/([^<]+)<\/a>/g)].map(([, found]) => found!));
    path = /rel="next" href="([^"]+)"/.exec(text)?.[1]!.replaceAll('&amp;', '&') ?? '';
  }
  const all = Array.from({ length: count }, (_, at) => name(at)).sort();
  expect(seen).toEqual(all.slice(0, 1_000));
  for (const q of ['app-99999', 'team-500/', 'nothing of this name', '9'])
    expect(await times.page(mirror, link('repositories', { q }))).toContain(
      q.startsWith('nothing') ? 'No repository' : q,
    );
  times.report(`${count} repositories`);
  expect(quartileOf(times.delays)).toBeLessThan(50);
  expect(quartileOf(times.pages)).toBeLessThan(500);
}, 240_000);

it('pages of 100,000 tags, by name and by last use, keep the event loop for less than 50 ms', async () => {
  const body = image(['layer']);
  const name = (at: number) => `Build_${(at * 7919) % count}-a`;
  const target = { digest: digestOf(body).toString(), mediaType: manifestMediaTypes.ociManifest, size: body.length };
  const record = (at: number) => JSON.stringify({ version: 1, hosted: true, tag: name(at), ...target, pushedAt: at });
  const tags = Array.from({ length: count - 1 }, (_, at) => at + 1);
  const storage = new LargeStorage(
    tags.map((at) => [keys.hostedTag(app, Tag.parse(name(at))), () => record(at)] as const),
  );
  await using registry = await HostedRegistry.start({}, { server: { sweepInterval: 0 }, storage });
  const { mirror } = registry;
  await registry.pushImage('latest');
  const times = new Times();
  const page = (query: Record<string, string>) =>
    times.page(mirror, link('repository', { name: app.toString(), ...query }));
  const start = performance.now();
  await until('all are listed', async () => (await page({})).includes('Next page'), 60_000);
  console.info(`list of ${count} tags: ${Math.round(performance.now() - start)} ms`);
  const all = [...Array.from({ length: count - 1 }, (_, at) => name(at + 1)), 'latest'].sort();
  let last = '';
  const seen: string[] = [];
  for (let each = 0; each < 10; each += 1) {
    const tags = [...(await page({ last })).matchAll(/reference=([^"&]+)"/g)].map(([, tag]) => tag!);
    seen.push(...tags);
    last = tags.at(-1) ?? '';
  }
  expect(seen).toEqual(all.slice(0, 500));
  for (let each = 0; each < 5; each += 1) expect(await page({ sort: 'time' })).toContain('Last used first');
  expect(await page({ q: 'build_99998-' })).toContain('Build_99998-a');
  times.report(`${count} tags`);
  expect(quartileOf(times.delays)).toBeLessThan(50);
  expect(quartileOf(times.pages)).toBeLessThan(1_000);
}, 240_000);
