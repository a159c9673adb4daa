import { readFile, rename, writeFile } from 'node:fs/promises';
import { Reloads } from '../../../../src/config/reload/reloads.js';
import { FakeRegistry, type FakeRegistryOptions } from '../../../fakes/fake-registry.js';
import { makeImage } from '../../../fixtures/images.js';
import { Folder } from '../../support/folder.js';
import { Mirror, type MirrorOptions } from '../../support/mirror.js';
import { until } from '../../support/until.js';

/** The image that every registry of a scene has as `team/app:v1`. */
export const image = makeImage({ layers: [3_000], seed: 'reload' });
export const manifestPath = (namespace = 'one.test', tag = 'v1') => `/v2/${namespace}/team/app/manifests/${tag}`;
/** Milliseconds within which a change counts, on a machine that is slow. */
export const soon = 15_000;

/** A server whose upstream file is in a folder, as operators change it. */
export class Scene implements AsyncDisposable {
  readonly registries: FakeRegistry[] = [];
  private started: Mirror | undefined;

  private constructor(readonly folder: Folder) {}

  static async make(): Promise<Scene> {
    return new Scene(await Folder.make());
  }

  get mirror(): Mirror {
    return this.started!;
  }

  get reloads(): Reloads {
    return this.mirror.app.get(Reloads);
  }

  get upstreamFile(): string {
    return this.folder.file('upstreams.yaml');
  }

  async registry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const registry = await FakeRegistry.start(options);
    registry.addImage('team/app', image, ['v1']);
    this.registries.push(registry);
    return registry;
  }

  /** Replaces a file as editors and configuration management do it. */
  async replace(name: string, text: string): Promise<void> {
    await writeFile(this.folder.file(`${name}.new`), text);
    await rename(this.folder.file(`${name}.new`), this.folder.file(name));
  }

  read(name: string): Promise<string> {
    return readFile(this.folder.file(name), 'utf8');
  }

  async start(yaml: string, { server, ...options }: MirrorOptions = {}): Promise<Mirror> {
    await writeFile(this.upstreamFile, yaml);
    const files = { upstreamConfigFile: this.upstreamFile, unknownNamespaces: 'deny' as const };
    return (this.started = await Mirror.start({ server: { ...files, ...server }, ...options }));
  }

  async statusOf(path = manifestPath()): Promise<number> {
    return (await this.mirror.request.get(path)).status;
  }

  /** Waits until a request gets this status. */
  async becomes(status: number, path = manifestPath()): Promise<void> {
    await until(`${path} gets ${status}`, async () => (await this.statusOf(path)) === status, soon);
  }

  /** Waits until something is logged. */
  async says(text: string | RegExp): Promise<void> {
    const isSaid = () => (typeof text === 'string' ? this.mirror.log.includes(text) : text.test(this.mirror.log));
    await until(`the log has ${String(text)}`, isSaid, soon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.started?.[Symbol.asyncDispose]();
    for (const registry of this.registries) await registry[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** An entry of an upstream file. */
export function entry(namespace: string, { host }: FakeRegistry, more = ''): string {
  return `- { namespace: ${namespace}, host: '${host}', tls: false${more === '' ? '' : `, ${more}`} }\n`;
}
