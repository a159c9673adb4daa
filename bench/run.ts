import { mkdir } from 'node:fs/promises';
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
      const peers = await startAll(scenario, stage, contestants, { ...plan, scope }, failures);
      for (let round = 1; round <= plan.rounds && failures.length === 0; round++) {
        // Every other round runs backwards, so that nobody always follows the same neighbour.
        for (const index of round % 2 === 1 ? peers.keys() : [...peers.keys()].reverse()) {
          const peer = peers[index]!;
          plan.progress(`${scenario.name}: round ${round} of ${plan.rounds}: ${peer.label}`);
          const sample = await measure(stage, peer, scope);
          contestants[index]!.samples.push(sample);
          failures.push(...sample.failures.map((failure) => `${peer.label}, round ${round}: ${failure}`));
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

function contestantsOf(names: readonly PeerName[]): Contestant[] {
  return names.map((name, index) => {
    const earlier = names.slice(0, index).filter((other) => other === name).length;
    return { name, label: earlier === 0 ? name : `${name} (${earlier + 1})`, samples: [] };
  });
}

async function startAll(
  scenario: Scenario,
  stage: Stage,
  contestants: readonly Contestant[],
  plan: Plan,
  failures: string[],
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [index, { name, label }] of contestants.entries()) {
    plan.progress(`${scenario.name}: starting ${label}`);
    const folder = join(plan.folder, `${scenario.name}-${index}`);
    await mkdir(folder);
    const bucket = await stage.s3?.bucketOf(label);
    const ground = {
      ...plan,
      folder,
      bucket,
      upstream: stage.upstream,
      root: stage.laidOut?.mirror,
      storage: stage.laidOut?.registry ?? plan.storage,
    };
    const peer = await startPeer(name, label, ground).catch((error: unknown) => {
      throw new Error(`${label}: ${reasonOf(error)}`);
    });
    peers.push(peer);
    const warmed = await stage.warm?.(peer);
    failures.push(...(warmed?.failures ?? []).map((failure) => `${label}: ${failure}`));
  }
  return peers;
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
