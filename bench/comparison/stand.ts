import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeRegistry, type FakeRegistryOptions } from '../../test/fakes/fake-registry.js';
import { type FixtureBlob, type FixtureImage, makeBlob, makeImage } from '../../test/fixtures/images.js';
import type { Server } from '../processes/server.js';
import type { Scope } from '../scope.js';
import { get, outcomeOf, type Received, type Request } from './get.js';
import type { Subject, SubjectSettings } from './subject.js';

export const namespace = 'registry.test';
export const repository = 'team/app';
export const tag = '1';
/** Milliseconds. */
export const settleTime = 1_000;

/** What a trial works with: one program, what it pulls from, and a folder that goes with the trial. */
export interface Setting {
  readonly subject: Subject;
  readonly scope: Scope;
  readonly folder: string;
}

/** An upstream with one image, and a program that mirrors it. */
export class Stand {
  #starts = 0;

  private constructor(
    readonly setting: Setting,
    readonly upstream: FakeRegistry,
    readonly image: FixtureImage,
    private readonly settings: Partial<SubjectSettings>,
    private server: Server | undefined,
  ) {}

  static async open(
    setting: Setting,
    settings: Partial<SubjectSettings> = {},
    behaviour: FakeRegistryOptions = {},
  ): Promise<Stand> {
    const upstream = await startUpstream(setting.scope, behaviour);
    const image = makeImage({ layers: [20_000, 1_000_000], seed: 'comparison' });
    upstream.addImage(repository, image, [tag]);
    const stand = new Stand(setting, upstream, image, settings, undefined);
    stand.server = await stand.start(setting.scope);
    return stand;
  }

  /** Another process with the same settings on the same storage. */
  async start(scope: Scope): Promise<Server> {
    const { subject, folder } = this.setting;
    const own = join(folder, `start-${++this.#starts}`);
    await mkdir(own);
    const upstreams = [{ namespace, url: this.upstream.url }];
    const content = join(folder, 'content');
    return subject.start(scope, { content, upstreams, ...this.settings, folder: own });
  }

  get origin(): string {
    return this.running.origin;
  }

  get pid(): number {
    return this.running.pid;
  }

  manifest(reference = tag, request?: Request): Promise<Received> {
    return get(manifestUrl(this.origin, reference), request);
  }

  blob(digest: string, request?: Request): Promise<Received> {
    return get(blobUrl(this.origin, digest), request);
  }

  /** At the upstream, in the same repository. */
  addBlob(size: number, seed: string): FixtureBlob {
    const blob = makeBlob(size, seed);
    this.upstream.addBlob(repository, blob);
    return blob;
  }

  /** As a client pulls, everything once. @returns what went wrong first, undefined when nothing did */
  async failureOfPull(): Promise<string | undefined> {
    const { manifest, config, layers } = this.image;
    const parts: [string, string, Received][] = [
      ['manifest by tag', manifest.digest, await this.manifest()],
      ['manifest by digest', manifest.digest, await this.manifest(manifest.digest)],
    ];
    for (const { digest } of [config, ...layers]) parts.push(['blob', digest, await this.blob(digest)]);
    for (const [part, digest, received] of parts) {
      const outcome = outcomeOf(received, digest);
      if (outcome !== 'served') return `${part}: ${outcome}`;
    }
    return undefined;
  }

  /** One pull, and time to store what came: a program may do so after the client has everything. @throws Error when it fails */
  async fill(): Promise<void> {
    const failure = await this.failureOfPull();
    if (failure !== undefined) throw new Error(`a pull failed: ${failure}`);
    await sleep(settleTime);
  }

  private get running(): Server {
    if (this.server === undefined) throw new Error('nothing runs');
    return this.server;
  }
}

export async function startUpstream(scope: Scope, behaviour: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const upstream = await FakeRegistry.start(behaviour);
  await scope.defer(() => upstream.close());
  return upstream;
}

// The query is what containerd sends; a program that mirrors one registry ignores it.
export function manifestUrl(origin: string, reference: string, from = namespace): string {
  return `${origin}/v2/${repository}/manifests/${reference}?ns=${from}`;
}

export function blobUrl(origin: string, digest: string, from = namespace, name = repository): string {
  return `${origin}/v2/${name}/blobs/${digest}?ns=${from}`;
}
