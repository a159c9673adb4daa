import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { request, type Reply, type RequestOptions } from '../../fakes/request.js';
import { Mirror, type MirrorOptions, type UpstreamOptions } from './mirror.js';

export interface StageOptions extends Omit<MirrorOptions, 'upstreams'> {
  readonly registry?: FakeRegistryOptions;
  readonly upstream?: UpstreamOptions;
}

/** A mirror, and the one registry behind it: `registry.test`. */
export class Stage implements AsyncDisposable {
  private constructor(
    readonly registry: FakeRegistry,
    readonly mirror: Mirror,
  ) {}

  static async start({ registry: behaviour, upstream, ...options }: StageOptions = {}): Promise<Stage> {
    const registry = await FakeRegistry.start(behaviour);
    const upstreams = [{ namespace: 'registry.test', host: registry.host, ...registry.otherPorts, ...upstream }];
    return new Stage(registry, await Mirror.start({ ...options, upstreams }));
  }

  /** @param path below `/v2/registry.test/`. */
  get(path: string, headers: Record<string, string> = {}, options: RequestOptions = {}): Promise<Reply> {
    return request(this.urlOf(path), { ...options, headers });
  }

  head(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.get(path, headers, { method: 'HEAD' });
  }

  urlOf(path: string): string {
    return `${this.mirror.url}/v2/registry.test/${path}`;
  }

  /** What the registry was asked, as `METHOD kind`. */
  get asked(): string[] {
    return this.registry.requests.map(({ method, kind }) => `${method} ${kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.mirror[Symbol.asyncDispose]();
    } finally {
      await this.registry.close();
    }
    if (this.registry.failures.length > 0) throw this.registry.failures[0];
  }
}
