import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { build } from '../../e2e/support/program.js';
import { Random } from '../../e2e/support/random.js';
import { makeImage, type FixtureImage } from '../../fixtures/images.js';
import { request } from '../../fakes/request.js';
import { Cluster } from './cluster.js';
import type { ClusterStorage } from './cluster-storage.js';
import { Client, pushAs, pushersWith, Unexpected, type Pusher } from './pushers.js';
import { lostStatus, ReplicaBalancer } from './replica-balancer.js';

/** Clients at one time. */
const clients = 8;
const replicas = 3;
/** Pushes of one image, each with all tries of its client. */
const maxRuns = 10;
/** Milliseconds between two kills. */
const killInterval = 2_000;
/** Milliseconds for each push, on a busy machine. */
const patience = 3_000;

export interface PushOptions {
  readonly pushes: number;
  /** Bytes that the largest layer of every tenth image has at most, and those of a chunk. */
  readonly largest: number;
  readonly chunk: number;
}

interface Pushed {
  readonly repository: string;
  readonly tag: string;
  readonly image: FixtureImage;
}

/** Pushes whose requests all go to different replicas. */
export function pushScenarios(makeStorage: () => Promise<ClusterStorage>, options: PushOptions): void {
  const { pushes } = options;
  const timeout = (pushes + 40) * patience;
  let cluster: Cluster;
  let balancer: ReplicaBalancer;

  beforeAll(async () => {
    await build();
    const flags = ['--hosted-namespace', 'local', '--allow-anonymous-push'];
    cluster = await Cluster.start(makeStorage, { replicas, flags });
    balancer = await ReplicaBalancer.start(cluster.programs.map(({ url }) => url));
  }, 240_000);
  afterAll(async () => {
    await balancer[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  }, 60_000);

  const run = async (load: PushLoad, killing: Promise<number>): Promise<void> => {
    const begin = performance.now();
    await load.ended;
    const killed = await killing;
    const seconds = Math.round((performance.now() - begin) / 1_000);
    const { retries, reruns, failures, pushed } = load;
    const counts = { pushes: pushed.length, retries, reruns, killed, seconds, ...balancer.counts };
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    expect(failures).toEqual([]);
    expect(pushed).toHaveLength(pushes);
    for (const { url } of cluster.programs) await assertWhole(url, pushed);
  };

  it(`loses none of ${pushes}`, { timeout }, async () => {
    const load = new PushLoad(balancer.url, 'first', options);
    await run(load, Promise.resolve(0));
    expect(load.retries).toBe(0);
  });

  it(`loses none of ${pushes} while a replica is killed every 2 s`, { timeout }, async () => {
    // What is being written then is swept when it is old.
    cluster.killed = Infinity;
    const load = new PushLoad(balancer.url, 'second', options);
    await run(load, killInTurn(cluster, load));
  });
}

/** Clients that push one image after the other, until there are enough. */
class PushLoad {
  readonly pushed: Pushed[] = [];
  readonly failures: string[] = [];
  retries = 0;
  reruns = 0;
  isOver = false;
  readonly ended: Promise<void>;
  private begun = 0;
  private readonly random = new Random(20_261_130);

  constructor(
    private readonly url: string,
    private readonly series: string,
    private readonly options: PushOptions,
  ) {
    const all = Array.from({ length: clients }, (_, index) => this.work(index));
    this.ended = Promise.all(all).then(() => void (this.isOver = true));
  }

  private async work(index: number): Promise<void> {
    const { pushes, chunk } = this.options;
    const pushers = pushersWith(chunk);
    const pusher = pushers[index % pushers.length]!;
    await using client = new Client(this.url);
    while ((this.begun += 1) <= pushes) {
      const push = this.next(this.begun);
      await this.push(pusher, client, push);
    }
  }

  /** Pushes again, as its user does, when every try of a client met a replica that was just killed. */
  private async push(pusher: Pusher, client: Client, push: Pushed): Promise<void> {
    for (let runs = 1; ; runs += 1) {
      try {
        this.retries += await pushAs(pusher, client, push);
        this.pushed.push(push);
        return;
      } catch (error) {
        const isLost = error instanceof Unexpected && [0, lostStatus].includes(error.status);
        if (isLost && runs < maxRuns) this.reruns += 1;
        else return void this.failures.push(`${pusher.name}: ${String(error)}`);
      }
    }
  }

  /** Every fifth push moves a tag that others move at the same time. */
  private next(number: number): Pushed {
    const { random } = this;
    const largest = number % 10 === 0 ? this.options.largest : 60_000;
    const layers = [2 + random.below(2_000), 2 + random.below(20_000), 2 + random.below(largest)];
    const { series } = this;
    const image = makeImage({ layers, seed: `${series} ${number}` });
    const tag = number % 5 === 0 ? `${series}-latest` : `${series}-${number}`;
    return { repository: `local/app${number % 3}`, tag, image };
  }
}

/** @returns how often one was killed */
async function killInTurn(cluster: Cluster, load: PushLoad): Promise<number> {
  let killed = 0;
  while (!load.isOver) {
    const next = sleep(killInterval);
    await cluster.kill(killed % replicas);
    await cluster.revive(killed % replicas);
    killed += 1;
    await next;
  }
  return killed;
}

/** Every tag names an image that was pushed under it, and all of the image is there. */
async function assertWhole(url: string, pushed: readonly Pushed[]): Promise<void> {
  const byManifest = new Map(pushed.map((push) => [push.image.manifest.digest, push]));
  for (const { repository, tag, image } of pushed) {
    const base = `${url}/v2/${repository}`;
    const { status, headers, body } = await request(`${base}/manifests/${tag}`);
    const found = byManifest.get(String(headers['docker-content-digest']));
    expect([repository, tag, status, found?.tag, found?.repository]).toEqual([repository, tag, 200, tag, repository]);
    expect(body.equals(found!.image.manifest.body)).toBe(true);
    if (!tag.endsWith('-latest')) expect(found?.image).toBe(image);
    for (const blob of [image.config, ...image.layers]) {
      const reply = await request(`${base}/blobs/${blob.digest}`);
      expect([blob.digest, reply.status, reply.body.equals(blob.body)]).toEqual([blob.digest, 200, true]);
    }
  }
}
