import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { assertStorageSound, type ClusterStorage } from '../../../chaos/support/cluster-storage.js';
import { build, Program } from '../../support/program.js';
import { Random } from '../../support/random.js';
import { until } from '../../support/until.js';
import { Conversation } from './conversation.js';
import { Push, Refused } from './pushing.js';

/** Clients at one time. */
const clients = 8;
/** Milliseconds for each kill, on a busy machine. */
const patience = 30_000;

export interface PushKillOptions {
  readonly kills: number;
  /** Milliseconds at which the program is killed at the latest. */
  readonly latest: number;
  /** Bytes that the largest layer of an image has at most. */
  readonly largest: number;
}

/** What `kill -9` at random moments of pushes may leave in any storage: all that was acknowledged, and nothing partial. */
export function pushKillScenario(
  makeStorage: () => Promise<ClusterStorage>,
  { kills, latest, largest }: PushKillOptions,
): void {
  beforeAll(build, 180_000);

  const name = `loses nothing acknowledged, leaves nothing partial, and every push succeeds again, ${kills} times`;
  it(name, { timeout: (kills + 4) * patience }, async () => {
    await using storage = await makeStorage();
    const random = new Random(20_261_129);
    const flags = ['--hosted-namespace', 'local', '--allow-anonymous-push', '--check-cache-digest'];
    const start = () =>
      Program.start(['--listen', '127.0.0.1:0', ...flags, ...storage.args], { env: storage.env ?? {} });
    const refused: string[] = [];
    /** Digest of every acknowledged manifest and blob, by path. */
    const acknowledged = new Map<string, string>();
    const counts = { pushes: 0, interrupted: 0, blobs: 0 };
    const known = new Set<string>();
    let interrupted: Push[] = [];
    for (let kill = 0; kill <= kills; kill += 1) {
      await using program = await start();
      await using client = await Conversation.open(program.url);
      for (const push of interrupted) await assertWhole(client, push);
      for (const push of interrupted) {
        await push.run(client);
        await assertWhole(client, push);
        note(push, acknowledged);
      }
      if (kill === kills) {
        await assertSwept(storage);
        await assertStorageSound(storage);
        // What has been looked through meanwhile may have taken longer than a connection is kept open.
        await using last = await Conversation.open(program.url);
        for (const [path, digest] of acknowledged) {
          const head = await last.ask('HEAD', path);
          expect([path, head.status, head.headers['docker-content-digest']]).toEqual([path, 200, digest]);
        }
        break;
      }
      const pushes: Push[] = [];
      const load = Array.from({ length: clients }, (_, at) =>
        pushUntilTheEnd(program.url, `local/app${at % 3}`, `v${kill}-${at}`, { random, largest, pushes }).catch(
          (error: unknown) => {
            if (error instanceof Refused) refused.push(error.message);
          },
        ),
      );
      // Every other time something has been acknowledged for sure, however slow the machine is.
      if (kill % 2 === 1) await until('a push is acknowledged', () => pushes.some(({ isDone }) => isDone), patience);
      await sleep(random.below(latest));
      program.kill('SIGKILL');
      await program.end;
      await Promise.all(load);
      expect(refused).toEqual([]);
      await assertStorageSound(storage, Infinity, known);
      for (const push of pushes) note(push, acknowledged);
      interrupted = pushes;
      counts.pushes += pushes.filter(({ isDone }) => isDone).length;
      counts.interrupted += pushes.filter(({ isDone }) => !isDone).length;
      counts.blobs += pushes.reduce((sum, push) => sum + push.acknowledged.size, 0);
    }
    expect(counts.pushes).toBeGreaterThanOrEqual(Math.floor(kills / 2));
    expect(counts.interrupted).toBeGreaterThan(0);
    process.stdout.write(`${kills} kills: ${JSON.stringify(counts)}\n`);
  });
}

/** Pushes one image after another. @throws Refused; Error when the program has been killed */
async function pushUntilTheEnd(
  url: string,
  repository: string,
  name: string,
  { random, largest, pushes }: { random: Random; largest: number; pushes: Push[] },
): Promise<never> {
  await using client = await Conversation.open(url);
  for (let count = 0; ; count += 1) {
    const push = new Push(repository, `${name}-${count}`, random, largest);
    pushes.push(push);
    await push.run(client);
  }
}

/** A day after their last byte, nothing of uploads is left that were begun and never ended. */
async function assertSwept(storage: ClusterStorage): Promise<void> {
  await storage.sweepUploads();
  expect(await storage.unfinished()).toBe(0);
  expect((await storage.keys()).filter((key) => /^(uploads|ingest)\//.test(key))).toEqual([]);
}

/** What was acknowledged is there, and what is there is whole. */
async function assertWhole(client: Conversation, push: Push): Promise<void> {
  const { repository, tag, image, blobs } = push;
  const parts = [
    ...blobs.map((blob) => ({ path: `blobs/${blob.digest}`, blob, isSure: push.acknowledged.has(blob.digest) })),
    ...[tag, image.manifest.digest].map((reference) => {
      return { path: `manifests/${reference}`, blob: image.manifest, isSure: push.isDone };
    }),
  ];
  const missing: string[] = [];
  for (const { path, blob, isSure } of parts) {
    const { status, body } = await client.ask('GET', `/v2/${repository}/${path}`);
    if (status === 404) missing.push(path);
    else expect([path, status, body.equals(blob.body)]).toEqual([path, 200, true]);
    expect([path, isSure && status === 404]).toEqual([path, false]);
  }
  // A manifest is there with everything that it names, whether its client has heard of it or not.
  const hasManifest = !missing.includes(`manifests/${image.manifest.digest}`);
  if (hasManifest) expect(missing.filter((path) => path.startsWith('blobs/'))).toEqual([]);
  else expect(missing).toContain(`manifests/${tag}`);
}

function note(
  { repository, tag, image, acknowledged: digests, isDone }: Push,
  acknowledged: Map<string, string>,
): void {
  for (const digest of digests) acknowledged.set(`/v2/${repository}/blobs/${digest}`, digest);
  if (isDone) acknowledged.set(`/v2/${repository}/manifests/${tag}`, image.manifest.digest);
}
