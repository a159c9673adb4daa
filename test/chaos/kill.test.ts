import { readdir, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { Random } from '../e2e/support/random.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { makeImage, type FixtureBlob } from '../fixtures/images.js';
import { pull, type Outcome } from './support/client.js';

beforeAll(build, 180_000);

/** How often the program is killed; a night may be longer: `KILLS=1000`. */
const kills = Number(process.env.KILLS ?? 50);
/** Milliseconds for each: the most that a start, a load and a look at what is left take on a busy machine. */
const patience = 15_000;

interface Target {
  readonly path: string;
  readonly blob: FixtureBlob;
}

/** Content whose bytes are not those of its name. */
async function unsound(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => []);
  const wrong: string[] = [];
  for (const entry of entries.filter((file) => file.isFile())) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(entry.parentPath, entry.name)), hash);
    if (hash.digest('hex') !== entry.name) wrong.push(entry.name);
  }
  return wrong;
}

describe('kill -9 at random moments under load', () => {
  it(
    `leaves nothing partial, nothing unreadable and nothing wrong, ${kills} times`,
    { timeout: kills * patience },
    async () => {
      await using registry = await closing();
      await using folder = await Folder.make();
      const random = new Random(20_261_124);
      await writeFile(
        folder.file('upstreams.yaml'),
        `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`,
      );
      const root = folder.file('data');
      // Less than is pulled, so that sweeps are killed as well; and short of it, so that everything is swept at once.
      const options = ['--max-size', '6MiB', '--sweep-interval', '300ms', '--check-cache-digest', '--orphan-age', '1s'];
      const args = ['--listen', '127.0.0.1:0', '--upstream-config-file', folder.file('upstreams.yaml'), ...options];
      const verdicts = { right: 0, broken: 0, refused: 0, wrong: 0 };
      const targets: Target[] = [];
      let slowest = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        targets.push(...addImage(registry, kill, random));
        if (targets.length > 30) targets.splice(0, targets.length - 30);
        const from = performance.now();
        const program = await Program.start([...args, 'filesystem', '--root', root]);
        slowest = Math.max(slowest, performance.now() - from);
        try {
          const isOver = new AbortController();
          const clients = Array.from({ length: 6 }, () => load(program.url, targets, random, isOver.signal));
          await sleep(30 + random.below(500));
          program.kill('SIGKILL');
          await program.end;
          isOver.abort();
          for (const { verdict } of (await Promise.all(clients)).flat()) verdicts[verdict] += 1;
        } finally {
          await program[Symbol.asyncDispose]();
        }
        expect(await unsound(root)).toEqual([]);
        // Nothing of what was said before the end is about damage or about records that cannot be read.
        expect(program.log.filter(({ msg }) => /damaged|newer|unreadable/.test(String(msg)))).toEqual([]);
      }
      expect(await readdir(join(root, 'damaged')).catch(() => [])).toEqual([]);
      const last = await Program.start([...args, 'filesystem', '--root', root]);
      try {
        for (const { path, blob } of targets)
          expect((await pull(`${last.url}${path}`, blob.body)).verdict).toBe('right');
      } finally {
        await last[Symbol.asyncDispose]();
      }
      expect(verdicts.wrong).toBe(0);
      expect(verdicts.refused).toBe(0);
      expect(verdicts.right).toBeGreaterThan(kills);
      process.stdout.write(`${kills} kills: ${JSON.stringify(verdicts)}, slowest start ${Math.round(slowest)} ms\n`);
    },
  );
});

/** Pulls one target after the other, at random, until the end. */
async function load(url: string, targets: readonly Target[], random: Random, signal: AbortSignal): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  while (!signal.aborted) {
    const { path, blob } = random.pick(targets);
    const outcome = await pull(`${url}${path}`, blob.body);
    outcomes.push({ ...outcome, body: Buffer.alloc(0) });
    // Nobody listens any more.
    if (outcome.status === 0) await sleep(5);
  }
  return outcomes;
}

function addImage(registry: FakeRegistry, seed: number, random: Random): Target[] {
  const sizes = [random.below(2_000) + 1, 60_000 + random.below(10_000), 100_000 + random.below(900_000)];
  const image = makeImage({ seed: `kill ${seed}`, layers: sizes });
  const name = `team/app${seed % 5}`;
  registry.addImage(name, image, [`v${seed}`]);
  const base = `/v2/registry.test/${name}`;
  const blobs = [image.config, ...image.layers].map((blob) => ({ path: `${base}/blobs/${blob.digest}`, blob }));
  const manifests = [`v${seed}`, image.manifest.digest];
  return [
    ...blobs,
    ...manifests.map((reference) => ({ path: `${base}/manifests/${reference}`, blob: image.manifest })),
  ];
}

async function closing(): Promise<FakeRegistry & AsyncDisposable> {
  const registry = await FakeRegistry.start();
  return Object.assign(registry, { [Symbol.asyncDispose]: () => registry.close() });
}
