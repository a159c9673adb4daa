import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { HandClock } from '../../fakes/hand-clock.js';
import { request, type Reply } from '../../fakes/request.js';
import { makeImage, type FixtureImage } from '../../fixtures/images.js';
import { Mirror, type MirrorOptions } from '../../e2e/support/mirror.js';
import { until } from './gate.js';

type UpstreamOptions = NonNullable<MirrorOptions['upstreams']>[number];

export interface SceneOptions extends Omit<MirrorOptions, 'upstreams' | 'root' | 'clock'> {
  readonly registry?: FakeRegistryOptions;
  /** Added to the one upstream, `registry.test`. A host without a port gets that of the registry. */
  readonly upstream?: Omit<UpstreamOptions, 'namespace'>;
}

/** What the tests of freshness look at in an answer. */
export interface Seen {
  readonly status: number;
  readonly cache: unknown;
  /** Seconds; undefined when the answer does not say. */
  readonly age: number | undefined;
  readonly digest: unknown;
  /** Of the error document. */
  readonly code: string | undefined;
  readonly retryAfter: number | undefined;
  readonly fallback: unknown;
}

export const older = makeImage({ seed: 'older' });
export const newer = makeImage({ seed: 'newer' });

/** A mirror that can be restarted, the one registry behind it, and the clock of both: it stands unless a test moves it. */
export class Scene implements AsyncDisposable {
  readonly clock = new HandClock();
  private constructor(
    readonly registry: FakeRegistry,
    private readonly options: SceneOptions,
    private readonly root: string,
  ) {}
  private running: Mirror | undefined;
  private readonly logs: string[] = [];

  static async set(options: SceneOptions = {}): Promise<Scene> {
    const registry = await FakeRegistry.start(options.registry);
    const scene = new Scene(registry, options, await mkdtemp(join(tmpdir(), 'oci-registry-scene-')));
    await scene.start();
    return scene;
  }

  /** A scene whose registry has `app:1.0`, and whose mirror knows it. */
  static async withTag(options: SceneOptions = {}, image: FixtureImage = older): Promise<Scene> {
    const scene = await Scene.set(options);
    scene.registry.addImage('app', image, ['1.0']);
    const first = await scene.get('app/manifests/1.0');
    if (first.status !== 200) throw new Error(`the first pull was answered ${first.status}`);
    scene.registry.reset();
    return scene;
  }

  get mirror(): Mirror {
    if (!this.running) throw new Error('the mirror does not run');
    return this.running;
  }

  /** @param changes to the settings of the upstream. */
  async restart(changes: SceneOptions['upstream'] = {}): Promise<void> {
    await this.end();
    await this.start(changes);
  }

  /** With nothing stored. */
  async restartEmpty(): Promise<void> {
    await this.end();
    await rm(this.root, { recursive: true });
    await this.start();
  }

  /** @param path below `/v2/registry.test/`. */
  get(path: string, options: Parameters<typeof request>[1] = {}): Promise<Reply> {
    return request(`${this.mirror.url}/v2/registry.test/${path}`, options);
  }

  async see(path: string, method: 'GET' | 'HEAD' = 'GET'): Promise<Seen> {
    return seen(await this.get(path, { method }));
  }

  /** What the registry was asked since the last time, as `METHOD kind reference`. */
  asked(): string[] {
    const asked = this.registry.requests.map(({ method, kind, reference }) =>
      [method, kind, reference].filter(Boolean).join(' '),
    );
    this.registry.reset();
    return asked;
  }

  /** Lines of the log at level warn or above, and of the upstream's state. */
  get log(): { msg: string; level: unknown; context?: string }[] {
    return [...this.logs, this.running?.log ?? '']
      .flatMap((text) => text.split('\n'))
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { msg: string; level: unknown });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.end();
    } finally {
      await this.registry.close();
      await rm(this.root, { recursive: true, force: true });
    }
    if (this.registry.failures.length > 0) throw this.registry.failures[0];
  }

  private async start(changes: SceneOptions['upstream'] = {}): Promise<void> {
    const { upstream: usual, ...options } = this.options;
    const upstream = { ...usual, ...changes };
    const [, port] = this.registry.host.split(':');
    const host = upstream.host === undefined ? this.registry.host : `${upstream.host}:${port}`;
    const upstreams = [{ namespace: 'registry.test', ...upstream, host }];
    this.running = await Mirror.start({ ...options, clock: this.clock, root: this.root, upstreams });
  }

  private async end(): Promise<void> {
    const mirror = this.running;
    this.running = undefined;
    this.logs.push(mirror?.log ?? '');
    // What goes on behind the last answer may still be written down.
    await until(async () => !(await isOpen(this.root)), 'nothing is written any more');
    await mirror?.[Symbol.asyncDispose]();
  }
}

export function seen({ status, headers, body }: Reply): Seen {
  const numberOf = (header: unknown) => (header === undefined ? undefined : Number(header));
  return {
    status,
    cache: headers['x-cache'],
    age: numberOf(headers.age),
    digest: headers['docker-content-digest'],
    code: status >= 400 && body.length > 0 ? errorCode(body) : undefined,
    retryAfter: numberOf(headers['retry-after']),
    fallback: headers['x-fallback-host'],
  };
}

async function isOpen(root: string): Promise<boolean> {
  const open = await readdir('/proc/self/fd');
  const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.some((target) => target.startsWith(root));
}

function errorCode(body: Buffer): string | undefined {
  const { errors } = JSON.parse(body.toString()) as { errors: { code: string }[] };
  return errors[0]?.code;
}
