import { describe, expect, it } from 'vitest';
import { Mirror, type UpstreamOptions } from '../e2e/support/mirror.js';
import { challenge, content, plain, redirect, ScriptedUpstream, type Script } from '../fakes/scripted-upstream.js';
import { makeBlob } from '../fixtures/images.js';
import { pull, type Outcome } from './support/client.js';
import { Names } from './support/names.js';
import { expectNoSecrets } from './support/stored.js';

const blob = makeBlob(1000, 'trusted ports');
const path = `/v2/app/blobs/${blob.digest}`;

/** Challenges until a token is sent, then serves the blob. */
const challenging = (realm: string): Script => ({
  respond: ({ headers }) =>
    headers.authorization === undefined ? challenge(`Bearer realm="${realm}",service="s"`) : content(blob.body),
});

/** A registry, a server that it redirects to, and another server on the same host: all of them on ports of this machine. */
class Stage implements AsyncDisposable {
  private constructor(
    readonly registry: ScriptedUpstream,
    readonly target: ScriptedUpstream,
    readonly inside: ScriptedUpstream,
  ) {}

  static async set(): Promise<Stage> {
    const [registry, target, inside] = [
      await ScriptedUpstream.start(),
      await ScriptedUpstream.start(),
      await ScriptedUpstream.start(),
    ];
    for (const server of [target, inside]) server.on('GET', /^\/token/, plain(200, '{"token":"planted-token"}'));
    registry.on('GET', path, redirect(`${target.url}/blob`));
    target.on('GET', '/blob', content(blob.body));
    return new Stage(registry, target, inside);
  }

  /** Pulls the blob through a mirror whose upstream has these settings. */
  async pull(settings: UpstreamOptions = {}): Promise<Outcome> {
    await using mirror = await Mirror.start({
      server: { logLevel: 'debug' },
      resolver: Names.here(),
      upstreams: [{ namespace: 'registry.test', host: this.registry.host, ...settings }],
    });
    const outcome = await pull(`${mirror.url}/v2/registry.test/app/blobs/${blob.digest}`, blob.body);
    await mirror.settled();
    await expectNoSecrets(mirror, [outcome]);
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.registry, this.target, this.inside]) await server.close();
  }
}

const refused = ({ verdict, status }: Outcome) => expect([verdict, status]).toEqual(['refused', 502]);

describe('a challenge of a redirect target', () => {
  it('that names a realm on another port of the registry is not followed, and the target gets no token', async () => {
    await using stage = await Stage.set();
    stage.target.on('GET', '/blob', challenging(`${stage.inside.url}/token`));
    refused(await stage.pull({ redirectHosts: [stage.target.host] }));
    expect(stage.inside.connections).toBe(0);
    expect(stage.target.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it('that names a realm of the registry is not followed, even if the address may be connected to', async () => {
    await using stage = await Stage.set();
    stage.target.on('GET', '/blob', challenging(`${stage.inside.url}/token`));
    refused(await stage.pull({ redirectHosts: [stage.target.host, stage.inside.host] }));
    expect(stage.inside.connections).toBe(0);
    stage.target.on('GET', '/blob', challenging(`${stage.registry.url}/token`));
    refused(await stage.pull({ redirectHosts: [stage.target.host] }));
    expect(stage.registry.requests.map(({ path: asked }) => asked)).toEqual([path, path]);
  });

  it('that names a realm of its own is followed, without credentials', async () => {
    await using stage = await Stage.set();
    stage.target.on('GET', '/blob', challenging(`${stage.target.url}/token`));
    const credentials = { username: 'user', password: 'planted-password' };
    const outcome = await stage.pull({ redirectHosts: [stage.target.host], ...credentials });
    expect(outcome.verdict).toBe('right');
    const [, token, signedIn] = stage.target.requests.map(({ headers }) => headers.authorization);
    expect([token, signedIn]).toEqual([undefined, 'Bearer planted-token']);
  });

  it('that names a listed realm is followed, without credentials', async () => {
    await using stage = await Stage.set();
    stage.target.on('GET', '/blob', challenging(`${stage.inside.url}/token`));
    const lists = { redirectHosts: [stage.target.host], tokenRealms: [stage.inside.host] };
    const outcome = await stage.pull({ ...lists, username: 'user', password: 'planted-password' });
    expect(outcome.verdict).toBe('right');
    expect(stage.inside.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe('another port of the host of a registry', () => {
  it('is no place for a realm at a private address, unless it is listed with its port', async () => {
    await using stage = await Stage.set();
    stage.registry.on('GET', path, challenging(`${stage.inside.url}/token`));
    refused(await stage.pull());
    refused(await stage.pull({ tokenRealms: ['127.0.0.1'] }));
    expect(stage.inside.connections).toBe(0);
    expect((await stage.pull({ tokenRealms: [stage.inside.host] })).verdict).toBe('right');
  });

  it('is no place for a redirect to a private address, unless it is listed with its port', async () => {
    await using stage = await Stage.set();
    refused(await stage.pull());
    refused(await stage.pull({ redirectHosts: ['127.0.0.1'] }));
    expect(stage.target.connections).toBe(0);
    expect((await stage.pull({ redirectHosts: [stage.target.host] })).verdict).toBe('right');
  });

  it('gets no credentials, unless it is listed', async () => {
    await using stage = await Stage.set();
    const [registryPort, port] = [stage.registry, stage.inside].map(({ host }) => host.split(':')[1]);
    const named = `registry.corp.example:${port}`;
    stage.registry.on('GET', path, challenging(`http://${named}/token`));
    const host = `registry.corp.example:${registryPort}`;
    const settings = { host, redirectHosts: [named], username: 'user', password: 'planted-password' };
    refused(await stage.pull(settings));
    expect(stage.inside.connections).toBe(0);
    expect((await stage.pull({ ...settings, tokenRealms: [named] })).verdict).toBe('right');
  });
});
