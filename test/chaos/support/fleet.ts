import { Mirror, type MirrorOptions } from '../../e2e/support/mirror.js';
import { Folder } from '../../e2e/support/folder.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { HandClock } from '../../fakes/hand-clock.js';
import type { UpstreamOptions } from '../../e2e/support/mirror.js';
import { freePort } from './cluster.js';

export interface FleetOptions extends Omit<MirrorOptions, 'root' | 'port' | 'upstreams' | 'storage'> {
  readonly replicas?: number;
  readonly upstream?: Partial<UpstreamOptions>;
  /** A storage on the folder that all share. */
  readonly storage?: (root: string) => NonNullable<MirrorOptions['storage']>;
}

/** Replicas in this process on one folder and one clock, and the one registry behind them: `registry.test`. */
export class Fleet implements AsyncDisposable {
  readonly mirrors: Mirror[] = [];

  private constructor(
    readonly registry: FakeRegistry,
    readonly folder: Folder,
    readonly clock: HandClock,
  ) {}

  static async start({ replicas = 3, storage, upstream, server, ...options }: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(await FakeRegistry.start(), await Folder.make(), new HandClock());
    for (let index = 0; index < replicas; index += 1) {
      const port = await freePort();
      const mirror = await Mirror.start({
        clock: fleet.clock,
        ...options,
        root: fleet.folder.path,
        port,
        server: { advertiseUrl: `http://127.0.0.1:${port}`, ...server },
        upstreams: [{ namespace: 'registry.test', host: fleet.registry.host, ...upstream }],
        ...(storage && { storage: storage(fleet.folder.path) }),
      });
      fleet.mirrors.push(mirror);
    }
    return fleet;
  }

  /** @param path below `/v2/registry.test/`. */
  urls(path: string): string[] {
    return this.mirrors.map(({ url }) => `${url}/v2/registry.test/${path}`);
  }

  /** What the registry was asked since the last time, as `METHOD kind`. */
  asked(): string[] {
    const asked = this.registry.requests.map(({ method, kind }) => `${method} ${kind}`);
    this.registry.reset();
    return asked;
  }

  async settled(): Promise<void> {
    for (const mirror of this.mirrors) await mirror.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.settled();
      for (const mirror of this.mirrors) await mirror[Symbol.asyncDispose]();
    } finally {
      await this.registry.close();
      await this.folder[Symbol.asyncDispose]();
    }
    if (this.registry.failures.length > 0) throw this.registry.failures[0];
  }
}
