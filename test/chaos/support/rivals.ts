import type { UpstreamOptions } from '../../e2e/support/mirror.js';
import { Folder } from '../../e2e/support/folder.js';
import { HandClock } from '../../fakes/hand-clock.js';
import { content, ScriptedUpstream, type Script } from '../../fakes/scripted-upstream.js';
import { Mirror, type MirrorOptions } from '../../e2e/support/mirror.js';
import type { FixtureBlob } from '../../fixtures/images.js';
import { freePort } from './cluster.js';

export type Side = 'good' | 'evil';

export interface RivalsOptions extends Omit<MirrorOptions, 'root' | 'port' | 'upstreams' | 'clock'> {
  /** Replicas on one folder, which know of each other when there are several. */
  readonly replicas?: number;
  /** Added to the settings of both upstreams, and of one of them. */
  readonly both?: UpstreamOptions;
  readonly good?: UpstreamOptions;
  readonly evil?: UpstreamOptions;
}

/** Mirrors of two registries, `good.test` and `evil.test`, that say what a test scripts. */
export class Rivals implements AsyncDisposable {
  readonly clock = new HandClock();
  readonly mirrors: Mirror[] = [];

  private constructor(
    readonly good: ScriptedUpstream,
    readonly evil: ScriptedUpstream,
    readonly folder: Folder,
    private readonly options: RivalsOptions,
  ) {}

  static async start(options: RivalsOptions = {}): Promise<Rivals> {
    const [good, evil, folder] = [await ScriptedUpstream.start(), await ScriptedUpstream.start(), await Folder.make()];
    const rivals = new Rivals(good, evil, folder, options);
    await rivals.boot();
    return rivals;
  }

  get mirror(): Mirror {
    const [first] = this.mirrors;
    if (!first) throw new Error('no mirror runs');
    return first;
  }

  /** @param path below the namespace. */
  url(side: Side, path: string, replica = 0): string {
    return `${this.mirrors[replica]?.url ?? ''}/v2/${side}.test/${path}`;
  }

  blobUrl(side: Side, { digest }: FixtureBlob, { replica = 0, repository = 'app' } = {}): string {
    return this.url(side, `${repository}/blobs/${digest}`, replica);
  }

  /** Makes a registry answer HEAD truthfully and GET by scripts, each of which serves one request; the last repeats. */
  serve(
    side: Side,
    blob: FixtureBlob,
    { scripts, repository = 'app' }: { scripts?: Script[]; repository?: string } = {},
  ) {
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    const truth = content(blob.body, { headers: { 'docker-content-digest': blob.digest } });
    const [first = truth, ...rest] = scripts ?? [];
    this[side].on('HEAD', path, truth).on('GET', path, first, ...rest);
  }

  gets(side: Side, { digest }: FixtureBlob): number {
    return this[side].select({ method: 'GET' }).filter(({ path }) => path.includes(digest)).length;
  }

  /** Stops the mirrors and starts them on the same folder, with other settings of the upstreams. */
  async restart(changes: Pick<RivalsOptions, 'both' | Side> = {}): Promise<void> {
    await this.end();
    await this.boot(changes);
  }

  async settled(): Promise<void> {
    for (const mirror of this.mirrors) await mirror.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // What still drips ends with its registry.
      await Promise.all([this.good.kill(), this.evil.kill()]);
      await this.end();
    } finally {
      await this.folder[Symbol.asyncDispose]();
    }
    for (const { failures } of [this.good, this.evil]) if (failures.length > 0) throw failures[0];
  }

  private async boot(changes: Pick<RivalsOptions, 'both' | Side> = {}): Promise<void> {
    const { replicas = 1, both, good, evil, server, ...options } = { ...this.options, ...changes };
    const upstreams = [
      { namespace: 'good.test', host: this.good.host, ...both, ...good },
      { namespace: 'evil.test', host: this.evil.host, ...both, ...evil },
    ];
    for (let index = 0; index < replicas; index += 1) {
      const port = await freePort();
      const shared = replicas > 1 ? { advertiseUrl: `http://127.0.0.1:${port}` } : {};
      const { clock, folder } = this;
      this.mirrors.push(
        await Mirror.start({ clock, ...options, root: folder.path, port, upstreams, server: { ...shared, ...server } }),
      );
    }
  }

  private async end(): Promise<void> {
    await this.settled();
    for (const mirror of this.mirrors.splice(0)) await mirror[Symbol.asyncDispose]();
  }
}
