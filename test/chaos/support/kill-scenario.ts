import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Folder } from '../../e2e/support/folder.js';
import { Program } from '../../e2e/support/program.js';
import { Random } from '../../e2e/support/random.js';
import { until } from '../../e2e/support/until.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage, type FixtureBlob } from '../../fixtures/images.js';
import { pull, type Outcome } from './client.js';
import { assertStorageSound, type ClusterStorage } from './cluster-storage.js';

/** Milliseconds for each kill: the most that a start, a load and a look at what is left take on a busy machine. */
const patience = 15_000;
/** Clients at one time. */
const clients = 6;
/** Pulled at random; what came before makes way. */
const maxTargets = 30;

export interface KillOptions {
  /** How often the program is killed. */
  readonly kills: number;
  /** Milliseconds after the start at which it is killed at the latest. */
  readonly latest: number;
  /** Bytes that each image has at most in its largest layer. */
  readonly largest: number;
  /** Of `--max-size`: less than is pulled, so that sweeps are killed as well. */
  readonly maxSize: string;
}

interface Target {
  /** Of its repository. */
  readonly name: string;
  readonly path: string;
  readonly blob: FixtureBlob;
}

/** What `kill -9` at random moments under load may leave in any storage: nothing partial, unreadable or wrong. */
export function killScenario(makeStorage: () => Promise<ClusterStorage>, options: KillOptions): void {
  const { kills, latest, largest, maxSize } = options;
  const name = `leaves nothing partial, nothing unreadable and nothing wrong, ${kills} times`;
  it(name, { timeout: (kills + 10) * patience }, async () => {
    await using registry = await FakeRegistry.start();
    await using folder = await Folder.make();
    await using storage = await makeStorage();
    const random = new Random(20_261_124);
    await writeFile(
      folder.file('upstreams.yaml'),
      `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`,
    );
    const flags = ['--max-size', maxSize, '--sweep-interval', '300ms', '--check-cache-digest', '--orphan-age', '1s'];
    const upstreams = ['--upstream-config-file', folder.file('upstreams.yaml')];
    const start = () =>
      Program.start(['--listen', '127.0.0.1:0', ...upstreams, ...flags, ...storage.args], { env: storage.env ?? {} });
    const verdicts = { right: 0, broken: 0, refused: 0, wrong: 0 };
    const targets: Target[] = [];
    let slowest = 0;
    let mostUnfinished = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      targets.push(...addImage(registry, { seed: kill, random, largest }));
      for (const { name, blob } of targets.splice(0, Math.max(0, targets.length - maxTargets)))
        registry.deleteBlob(name, blob.digest);
      const from = performance.now();
      const program = await start();
      slowest = Math.max(slowest, performance.now() - from);
      try {
        const isOver = new AbortController();
        const pulls = Array.from({ length: clients }, () => load(program.url, targets, random, isOver.signal));
        await sleep(30 + random.below(latest - 30));
        program.kill('SIGKILL');
        await program.end;
        isOver.abort();
        for (const { verdict } of (await Promise.all(pulls)).flat()) verdicts[verdict] += 1;
      } finally {
        await program[Symbol.asyncDispose]();
      }
      await assertStorageSound(storage, Infinity);
      mostUnfinished = Math.max(mostUnfinished, await storage.unfinished());
      // Nothing of what was said before the end is about damage or about records that cannot be read.
      expect(program.log.filter(({ msg }) => /damaged|newer|unreadable/.test(String(msg)))).toEqual([]);
    }
    // Everything that was begun and left is old enough then to be swept at the start.
    await sleep(1_500);
    await using last = await start();
    for (const { path, blob } of targets) expect((await pull(`${last.url}${path}`, blob.body)).verdict).toBe('right');
    await until('what was begun and left is swept', async () => (await storage.unfinished()) === 0, 30_000);
    expect(verdicts.wrong).toBe(0);
    expect(verdicts.refused).toBe(0);
    expect(verdicts.right).toBeGreaterThan(kills);
    const counts = JSON.stringify({ ...verdicts, mostUnfinished, slowestStart: Math.round(slowest) });
    process.stdout.write(`${kills} kills: ${counts}\n`);
  });
}

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

function addImage(
  registry: FakeRegistry,
  { seed, random, largest }: { seed: number; random: Random; largest: number },
): Target[] {
  const sizes = [random.below(2_000) + 1, 60_000 + random.below(10_000), largest / 10 + random.below(0.9 * largest)];
  const image = makeImage({ seed: `kill ${seed}`, layers: sizes });
  const name = `team/app${seed % 5}`;
  registry.addImage(name, image, [`v${seed}`]);
  const base = `/v2/registry.test/${name}`;
  const { config, layers, manifest } = image;
  return [
    ...[config, ...layers].map((blob) => ({ name, path: `${base}/blobs/${blob.digest}`, blob })),
    ...[`v${seed}`, manifest.digest].map((to) => ({ name, path: `${base}/manifests/${to}`, blob: manifest })),
  ];
}
