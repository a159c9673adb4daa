import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Library } from './content/library.js';
import type { Peer, PeerName } from './peers/peer.js';
import { startPeer } from './peers/start-peer.js';
import type { Sample, Scenario, Stage } from './scenarios/scenario.js';
import type { Scope } from './scope.js';

export interface Plan {
  readonly scope: Scope;
  readonly folder: string;
  /** The registry that holds the library, and its storage. */
  readonly source: string;
  readonly storage: string;
  readonly library: Library;
  readonly peers: readonly PeerName[];
  readonly node: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly shrink: number;
  /** Told what is happening, one line at a time. */
  readonly progress: (line: string) => void;
}

export interface Contestant {
  readonly name: PeerName;
  readonly label: string;
  /** One per round. */
  readonly samples: Sample[];
}

export interface Outcome {
  readonly scenario: Scenario;
  readonly contestants: readonly Contestant[];
  readonly failures: readonly string[];
}

/** Runs one scenario on freshly started peers; a failure ends it with its round and is part of the outcome. */
export async function runScenario(scenario: Scenario, plan: Plan): Promise<Outcome> {
  const contestants = contestantsOf(plan.peers.filter((name) => scenario.peers.includes(name)));
  const failures: string[] = [];
  try {
    await plan.scope.within(async (scope) => {
      const stage = await scenario.open({ ...plan, scope });
      const race: Race = { scenario, stage, plan: { ...plan, scope }, failures };
      const peers = scenario.startsAnew === true ? [] : await startAll(race, contestants);
      for (let round = 1; round <= plan.rounds && failures.length === 0; round++) {
        // Every other round runs backwards, so that nobody always follows the same neighbour.
        for (const index of round % 2 === 1 ? contestants.keys() : [...contestants.keys()].reverse()) {
          const { label, samples } = contestants[index]!;
          plan.progress(`${scenario.name}: round ${round} of ${plan.rounds}: ${label}`);
          const sample = await scope.within(async (inner) => {
            const peer = peers[index] ?? (await start(race, contestants[index]!, `${index}-${round}`, inner));
            return measure(stage, peer, inner);
          });
          samples.push(sample);
          failures.push(...sample.failures.map((failure) => `${label}, round ${round}: ${failure}`));
        }
      }
    });
  } catch (error) {
    failures.push(reasonOf(error));
  }
  // What fails because everything is being stopped says nothing about a peer.
  if (plan.scope.isClosing) throw new Error('interrupted');
  return { scenario, contestants, failures };
}

/** One scenario while it runs. */
interface Race {
  readonly scenario: Scenario;
  readonly stage: Stage;
  readonly plan: Plan;
  readonly failures: string[];
}

function contestantsOf(names: readonly PeerName[]): Contestant[] {
  return names.map((name, index) => {
    const earlier = names.slice(0, index).filter((other) => other === name).length;
    return { name, label: earlier === 0 ? name : `${name} (${earlier + 1})`, samples: [] };
  });
}

async function startAll(race: Race, contestants: readonly Contestant[]): Promise<Peer[]> {
  const { scenario, stage, plan, failures } = race;
  const peers: Peer[] = [];
  for (const [index, contestant] of contestants.entries()) {
    plan.progress(`${scenario.name}: starting ${contestant.label}`);
    const peer = await start(race, contestant, String(index), plan.scope);
    peers.push(peer);
    const warmed = await stage.warm?.(peer);
    failures.push(...(warmed?.failures ?? []).map((failure) => `${contestant.label}: ${failure}`));
  }
  return peers;
}

/** @param id tells its folder from those of all others in the scenario. */
async function start({ scenario, stage, plan }: Race, contestant: Contestant, id: string, scope: Scope): Promise<Peer> {
  const { name, label } = contestant;
  // A scenario may be measured again.
  const folder = await mkdtemp(join(plan.folder, `${scenario.name}-${id}-`));
  const bucket = await stage.s3?.bucketOf(label);
  const { takesPushes = false, upstream, laidOut } = stage;
  const { mirror: root, registry: storage = takesPushes ? join(folder, 'content') : plan.storage } = laidOut ?? {};
  // What is pushed in one round must not fill the disk in the next.
  if (takesPushes) await scope.defer(() => rm(folder, { recursive: true, force: true }));
  const ground = { ...plan, scope, folder, bucket, root, storage, upstream, takesPushes };
  return startPeer(name, label, ground).catch((error: unknown) => {
    throw new Error(`${label}: ${reasonOf(error)}`);
  });
}

async function measure(stage: Stage, peer: Peer, scope: Scope): Promise<Sample> {
  const sample = await scope
    .within((inner) => stage.measure(peer, inner))
    .catch((error: unknown): Sample => {
      return { values: {}, failures: [reasonOf(error)] };
    });
  if (sample.failures.length === 0) return sample;
  const complaint = await peer.server.complaint();
  if (complaint !== undefined) return { ...sample, failures: [complaint] };
  return { ...sample, failures: [...sample.failures, `the end of its log: ${await peer.server.lastWords()}`] };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
