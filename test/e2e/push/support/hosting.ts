import { OpenSessions } from '../../../../src/registry/hosted/open.sessions.js';
import type { FixtureBlob, FixtureImage } from '../../../fixtures/images.js';
import { Mirror, type MirrorOptions } from '../../support/mirror.js';
import { Conversation, type Heard, type Said } from './conversation.js';

/** A server with the hosted namespace `local`, and a connection to it. */
export class Hosting implements AsyncDisposable {
  private constructor(
    readonly mirror: Mirror,
    readonly client: Conversation,
  ) {}

  static async start({ server, hosted = [{ namespace: 'local' }], ...options }: MirrorOptions = {}): Promise<Hosting> {
    const mirror = await Mirror.start({ hosted, server: { allowAnonymousPush: true, ...server }, ...options });
    return new Hosting(mirror, await Conversation.open(mirror.url));
  }

  get url(): string {
    return this.mirror.url;
  }

  ask(method: string, target: string, said?: Said): Promise<Heard> {
    return this.client.ask(method, target, said);
  }

  /** Begins a session. @returns its Location */
  async begin(repository = 'local/app', query = ''): Promise<string> {
    const { status, headers } = await this.ask('POST', `/v2/${repository}/blobs/uploads/${query}`, { body: '' });
    if (status !== 202) throw new Error(`POST: ${status}`);
    return headers.location!;
  }

  async pushBlob({ digest, body }: FixtureBlob, repository = 'local/app'): Promise<Heard> {
    const location = await this.begin(repository);
    return this.ask('PUT', withQuery(location, `digest=${digest}`), { body });
  }

  /** Pushes blobs and manifest. @returns the response to the manifest */
  async pushImage({ config, layers, manifest }: FixtureImage, tag: string, repository = 'local/app'): Promise<Heard> {
    for (const blob of [config, ...layers]) await this.pushBlob(blob, repository);
    return this.ask('PUT', `/v2/${repository}/manifests/${tag}`, {
      body: manifest.body,
      headers: [`content-type: ${manifest.mediaType}`],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.mirror.settled();
    // Sessions stay open for a while, so that they can go on.
    await this.mirror.app.get(OpenSessions, { strict: false }).onApplicationShutdown();
    await this.mirror[Symbol.asyncDispose]();
  }
}

/** A Location with a parameter behind those that it has. */
export function withQuery(location: string, parameter: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${parameter}`;
}
