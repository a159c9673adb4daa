import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MovingClock } from '../e2e/support/moving-clock.js';
import { Mirror, type MirrorOptions } from '../e2e/support/mirror.js';
import { FakeRegistry, type FakeRegistryOptions } from '../fakes/fake-registry.js';
import {
  challenge,
  content,
  plain,
  redirect,
  ScriptedUpstream,
  type ScriptedRequest,
} from '../fakes/scripted-upstream.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { codeOf, pull, type Outcome } from './support/client.js';
import { Names } from './support/names.js';
import { expectNoSecrets } from './support/stored.js';

const image = makeImage({ layers: [200_000] });
const [layer = makeBlob(0, '')] = image.layers;
const nothing = Buffer.alloc(0);
const credentials = { username: 'user', password: 'planted-password' };
const basicOf = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** One registry, a mirror that signs in to it or not, and the check that no secret left the two of them. */
class Stage implements AsyncDisposable {
  readonly responses: Outcome[] = [];

  private constructor(
    readonly registry: FakeRegistry,
    readonly mirror: Mirror,
    readonly clock: MovingClock,
  ) {}

  static async set(
    options: FakeRegistryOptions,
    signedIn = true,
    more: Partial<MirrorOptions> | ((registry: FakeRegistry) => Partial<MirrorOptions>) = {},
  ): Promise<Stage> {
    const registry = await FakeRegistry.start({ auth: 'bearer', ...options });
    registry.addImage('team/app', image, ['latest']);
    const clock = new MovingClock();
    const mirror = await Mirror.start({
      clock,
      server: { logLevel: 'debug' },
      upstreams: [
        { namespace: 'registry.test', host: registry.host, ...registry.otherPorts, ...(signedIn && credentials) },
      ],
      ...(typeof more === 'function' ? more(registry) : more),
    });
    return new Stage(registry, mirror, clock);
  }

  async get(path: string, truth: Buffer = nothing, method = 'GET'): Promise<Outcome> {
    const outcome = await pull(`${this.mirror.url}/v2/registry.test/${path}`, truth, { method });
    this.responses.push(outcome);
    return outcome;
  }

  async pullImage(repository = 'team/app'): Promise<string[]> {
    const outcomes = [
      await this.get(`${repository}/manifests/latest`, image.manifest.body),
      await this.get(`${repository}/blobs/${image.config.digest}`, image.config.body),
      await this.get(`${repository}/blobs/${layer.digest}`, layer.body),
    ];
    return outcomes.map(({ verdict }) => verdict);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror.settled();
    await expectNoSecrets(this.mirror, this.responses);
    expect(this.registry.cdn.authorizations).toBe(0);
    expect(this.registry.failures).toEqual([]);
    await this.mirror[Symbol.asyncDispose]();
    await this.registry.close();
  }
}

const quirks: Record<string, FakeRegistryOptions> = {
  'none at all': {},
  'a challenge without service': { challenge: { service: undefined } },
  'a placeholder for a scope': { challenge: { scope: 'placeholder' } },
  'no scope': { challenge: { scope: 'none' } },
  'a scope of its own': { challenge: { scope: { literal: 'aws' } } },
  'Bearer and Basic in one header': { challenge: { layout: 'joined' } },
  'Basic before Bearer in one header': { challenge: { layout: 'joined-basic-first' } },
  'a header for each scheme': { challenge: { layout: 'separate' } },
  'a challenge at the base alone': { challenge: { where: 'base', scope: 'none' } },
  'a token called access_token': { token: { field: 'access_token' } },
  'a token under both names': { token: { field: 'both' } },
  'a token without a life': { token: { expiresIn: undefined } },
  'a token that lives for a second': { token: { expiresIn: 1, lifetime: 60 } },
  'a realm on another port': { token: { separatePort: true } },
  'blobs behind a redirect': { redirectBlobs: 307 },
  'everything behind redirects': { redirectBlobs: 302, redirectManifests: 302 },
  'redirects that work once and for GET alone': { redirectBlobs: 307, cdn: { once: true, getOnly: true } },
  'Basic authentication': { auth: 'basic' },
  'Basic authentication and redirects': { auth: 'basic', redirectBlobs: 307 },
  'no HEAD for manifests': { head: { manifests: 401 } },
};

describe.concurrent.each(Object.entries(quirks))('a registry with %s', (_, options) => {
  it('is signed in to with credentials, once for everything', async () => {
    await using stage = await Stage.set({ anonymous: false, ...options });
    expect(await stage.pullImage()).toEqual(['right', 'right', 'right']);
    expect(stage.registry.count({ kind: 'token' })).toBe(options.auth === 'basic' ? 0 : 1);
    expect(stage.registry.count({ status: 403 })).toBe(0);
  });

  it('is read without credentials when it lets anybody', async () => {
    await using stage = await Stage.set({ ...options, access: { 'team/app': 'public' } }, false);
    expect(await stage.pullImage()).toEqual(['right', 'right', 'right']);
    const sent = stage.registry.requests.map(({ headers }) => headers.authorization ?? '');
    expect(sent.filter((value) => value.startsWith('Basic'))).toEqual([]);
  });

  it('is not got into with the wrong password', async () => {
    await using stage = await Stage.set({ anonymous: false, ...options, password: 'planted-another' });
    const outcome = await stage.get(`team/app/blobs/${layer.digest}`);
    expect([outcome.status, codeOf(outcome)]).toEqual([401, 'UNAUTHORIZED']);
  });
});

describe.concurrent('tokens', () => {
  it('are fetched once for everybody who asks at the same moment', async () => {
    await using stage = await Stage.set({ anonymous: false, delayHeaders: 30, slowKinds: ['token'] });
    const blobs = Array.from({ length: 20 }, (_, index) => makeBlob(100, index));
    for (const blob of blobs) stage.registry.addBlob('team/app', blob);
    const outcomes = await Promise.all(blobs.map(({ digest, body }) => stage.get(`team/app/blobs/${digest}`, body)));
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(blobs.map(() => 'right'));
    expect(stage.registry.count({ kind: 'token' })).toBe(1);
  });

  it('are for one repository each', async () => {
    await using stage = await Stage.set({ anonymous: false });
    stage.registry.addImage('team/other', image, ['latest']);
    await Promise.all([stage.pullImage(), stage.pullImage('team/other')]);
    const scopes = stage.registry
      .select({ kind: 'token' })
      .map(({ url }) => new URL(url, 'http://x').searchParams.get('scope'));
    expect(scopes.sort()).toEqual(['repository:team/app:pull', 'repository:team/other:pull']);
    expect(stage.registry.select({ status: 401 }).filter(({ headers }) => headers.authorization)).toEqual([]);
  });

  it('are replaced before they expire', async () => {
    await using stage = await Stage.set({ anonymous: false, token: { expiresIn: 100, lifetime: 3600 } });
    await stage.get(`team/app/blobs/${layer.digest}`, layer.body);
    stage.clock.pass(79);
    await stage.get(`team/app/blobs/${image.config.digest}`, image.config.body);
    expect(stage.registry.count({ kind: 'token' })).toBe(1);
    stage.clock.pass(2);
    const { verdict } = await stage.get(`team/app/manifests/latest`, image.manifest.body);
    expect([verdict, stage.registry.count({ kind: 'token' })]).toEqual(['right', 2]);
    expect(stage.registry.select({ status: 401 })).toHaveLength(1);
  });

  it.each([undefined, false] as const)(
    'that are revoked are replaced, challenges naming the error: %s',
    async (error) => {
      await using stage = await Stage.set({ anonymous: false, challenge: { error } });
      await stage.get(`team/app/blobs/${layer.digest}`, layer.body);
      stage.registry.revokeTokens();
      const outcomes = await Promise.all([
        stage.get(`team/app/manifests/latest`, image.manifest.body),
        stage.get(`team/app/blobs/${image.config.digest}`, image.config.body),
      ]);
      expect(outcomes.map(({ verdict }) => verdict)).toEqual(['right', 'right']);
      expect(stage.registry.count({ kind: 'token' })).toBeLessThanOrEqual(3);
    },
  );

  it.each([true, false])('that are revoked are not had from the realm that the refusal names: %s', async (signedIn) => {
    await using trap = await ScriptedUpstream.start();
    trap.on('GET', /token/, plain(401));
    await using stage = await Stage.set(
      { anonymous: !signedIn, challenge: { realmForInvalidToken: `${trap.url}/token` } },
      signedIn,
    );
    await stage.get(`team/app/blobs/${layer.digest}`, layer.body);
    stage.registry.revokeTokens();
    const { verdict } = await stage.get(`team/app/blobs/${image.config.digest}`, image.config.body);
    expect(verdict).toBe('right');
    expect(trap.requests).toEqual([]);
  });

  it('that are refused although they are fresh are done without', async () => {
    await using stage = await Stage.set({ challenge: { error: 'invalid_token' }, token: { lifetime: -1 } }, false);
    const outcome = await stage.get(`team/app/blobs/${layer.digest}`);
    expect(outcome.status).toBe(401);
    expect(stage.registry.count({ kind: 'blob' })).toBeLessThanOrEqual(3);
  });

  it('survive while a download needs a new one in the middle', async () => {
    await using stage = await Stage.set({ anonymous: false });
    const blob = makeBlob(1_000_000, 'middle');
    stage.registry.addBlob('team/app', blob);
    let cuts = 1;
    stage.registry.behaviour.before = (request, response) => {
      if (request.kind !== 'blob' || request.headers.authorization === undefined || cuts === 0) return;
      cuts -= 1;
      response.writeHead(200, { 'content-length': blob.body.length });
      response.write(blob.body.subarray(0, 400_000), () => response.destroy());
      stage.registry.revokeTokens();
    };
    expect((await stage.get(`team/app/blobs/${blob.digest}`, blob.body)).verdict).toBe('right');
    expect(stage.registry.count({ kind: 'token' })).toBe(2);
  });

  it.each([
    ['no JSON', plain(200, 'planted-nonsense')],
    ['no token in it', plain(200, '{"expires_in":300}')],
    ['a token that is no text', plain(200, '{"token":{"planted-":1}}')],
    ['a token that would break a header', plain(200, '{"token":"planted-a\\r\\nx-evil: 1"}')],
    ['a redirect', redirect('/elsewhere')],
    ['an endless answer', content(Buffer.alloc(2_000_000, 'planted-'))],
    ['a token endpoint that is not there', plain(404, 'planted-404')],
  ])('are not made of %s', async (_, script) => {
    await using realm = await ScriptedUpstream.start();
    realm.on('GET', /^\/token/, script);
    await using upstream = await ScriptedUpstream.start();
    upstream.on('*', /^\/v2\//, challenge(`Bearer realm="${realm.url}/token",service="s"`));
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
    expect([outcome.verdict, outcome.status]).toEqual(['refused', 502]);
    expect(realm.count({ path: '/elsewhere' })).toBe(0);
    await expectNoSecrets(mirror, [outcome]);
  });

  it.each([
    [503, 503],
    [429, 429],
    [401, 401],
    [403, 401],
  ])('that are refused with %i are answered for with %i', async (status, expected) => {
    await using stage = await Stage.set({ anonymous: false, outage: { status, kinds: ['token'], retryAfter: 7 } });
    const outcome = await stage.get(`team/app/blobs/${layer.digest}`);
    expect([outcome.verdict, outcome.status]).toEqual(['refused', expected]);
    if (status === 429 || status === 503) expect(outcome.headers['retry-after']).toBe('7');
  });
});

describe('what may not be read', () => {
  it.each(['HEAD', 'GET'])('does not exist for somebody without credentials: %s', async (method) => {
    await using stage = await Stage.set({ access: { 'team/app': 'private' } }, false);
    for (const path of [`blobs/${layer.digest}`, 'manifests/latest', `manifests/${image.manifest.digest}`])
      expect((await stage.get(`team/app/${path}`, nothing, method)).status).toBe(404);
  });

  it.each([
    [401, 401],
    [403, 403],
  ] as const)('is refused with %i to somebody who has credentials', async (deniedStatus, status) => {
    await using stage = await Stage.set({ anonymous: false, access: { 'team/app': 'denied' }, deniedStatus });
    for (const path of [`blobs/${layer.digest}`, 'manifests/latest'])
      expect((await stage.get(`team/app/${path}`)).status).toBe(status);
  });

  it('is not answered from the store once access has been taken away', async () => {
    await using stage = await Stage.set({ anonymous: false });
    expect(await stage.pullImage()).toEqual(['right', 'right', 'right']);
    stage.registry.behaviour.access['team/app'] = 'denied';
    stage.clock.pass(24 * 3600);
    expect((await stage.get('team/app/manifests/latest')).status).toBe(401);
  });
});

/** The realms are at another loopback address, so that they can have the port of the registry. */
const realmAddress = '127.0.0.2';

/** A registry and a realm under host names of the test's own, all of which lead to this machine, at one port. */
async function withRealm(
  registryHost: string,
  realmUrl: (port: string) => string,
  settings: (port: string) => object,
  check: (found: {
    outcome: Outcome;
    /** Token requests, wherever they arrived. */
    asked: readonly ScriptedRequest[];
    realm: ScriptedUpstream;
    upstream: ScriptedUpstream;
    mirror: Mirror;
  }) => Promise<void> | void,
): Promise<void> {
  await using upstream = await ScriptedUpstream.start();
  const [, port = ''] = upstream.host.split(':');
  await using realm = await ScriptedUpstream.start({ address: realmAddress, port: Number(port) });
  for (const server of [realm, upstream]) server.on('GET', /^\/token/, plain(200, '{"token":"planted-token"}'));
  upstream.on('GET', /^\/v2\//, {
    respond: ({ headers }) =>
      headers.authorization === undefined
        ? challenge(`Bearer realm="${realmUrl(port)}",service="s"`)
        : content(layer.body),
  });
  await using mirror = await Mirror.start({
    resolver: new Names((name) => [name === registryHost ? '127.0.0.1' : realmAddress]),
    server: { logLevel: 'debug' },
    upstreams: [{ namespace: 'registry.test', host: `${registryHost}:${port}`, ...credentials, ...settings(port) }],
  });
  const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, layer.body);
  await mirror.settled();
  await expectNoSecrets(mirror, [outcome]);
  const asked = [...realm.requests, ...upstream.select({ path: /^\/token/ })];
  await check({ outcome, asked, realm, upstream, mirror });
}

describe.concurrent(
  'a password (CVE-2026-33540 of distribution, CVE-2026-48978, -50151 of ORAS, CVE-2026-49349 of regclient)',
  () => {
    it('never goes to another port of an address, unless the operator listed it', async () => {
      const more = (registry: { host: string }) => ({
        upstreams: [{ namespace: 'registry.test', host: registry.host, ...credentials }],
      });
      await using stage = await Stage.set({ anonymous: false, token: { separatePort: true } }, true, more);
      const outcome = await stage.get(`team/app/blobs/${layer.digest}`);
      expect([outcome.verdict, outcome.status]).toEqual(['refused', 502]);
      expect(stage.registry.count({ kind: 'token' })).toBe(0);
    });

    it.each([
      ['registry.corp.example', 'auth.corp.example'],
      ['registry.corp.example', 'corp.example'],
      ['corp.example', 'deep.below.corp.example'],
      ['registry.corp.co.uk', 'auth.corp.co.uk'],
      ['registry.corp.example', 'REGISTRY.corp.example'],
    ])('of %s goes to a realm at %s', async (registry, host) => {
      // The realm is named as a place for redirects, so that its address at this machine is no reason to refuse it.
      await withRealm(
        registry,
        (port) => `http://${host}:${port}/token`,
        (port) => ({ redirectHosts: [`${host}:${port}`] }),
        ({ outcome, asked }) => {
          expect(outcome.verdict).toBe('right');
          expect(asked.map(({ headers }) => headers.authorization)).toEqual([basicOf('user', 'planted-password')]);
        },
      );
    });

    it.each([
      ['registry.corp.example', 'evil.example'],
      ['registry.corp.example', 'evilcorp.example'],
      ['registry.corp.example', 'registry.corp.example.evil.test'],
      ['registry.corp.example', 'registry-corp.example'],
      ['registry.corp.example', 'corp.example.com'],
      ['registry.corp.co.uk', 'evil.co.uk'],
      ['registry.corp.co.uk', 'co.uk'],
      ['corp.github.io', 'evil.github.io'],
      ['corp.github.io', 'github.io'],
      ['bucket.s3.amazonaws.com', 'evil.s3.amazonaws.com'],
      ['corp.azurewebsites.net', 'evil.azurewebsites.net'],
      ['registry.corp.example', '127.0.0.1'],
      ['registry', 'evil'],
      ['registry.corp.example', 'xn--crp-0na.example'],
    ])('of %s never goes to a realm at %s', async (registry, host) => {
      await withRealm(
        registry,
        (port) => `http://${host}:${port}/token`,
        (port) => ({ redirectHosts: [`${host}:${port}`] }),
        ({ outcome, asked }) => {
          expect([outcome.verdict, outcome.status]).toEqual(['refused', 502]);
          expect(asked).toEqual([]);
        },
      );
    });

    it.each([
      (port: string) => `http://registry.corp.example:planted-x@evil.example:${port}/token`,
      (port: string) => `http://user:planted-password@auth.corp.example:${port}/token`,
      (port: string) => `//evil.example:${port}/token`,
      (port: string) => `evil.example:${port}/token`,
      () => 'file:///etc/passwd',
      () => 'ftp://auth.corp.example/token',
      () => 'javascript:alert(1)',
      () => '',
      () => 'http://',
      () => '/token',
    ])('never goes to a realm that is no plain URL, %#', async (realmUrl) => {
      const redirectHosts = (port: string) => ({
        redirectHosts: [`evil.example:${port}`, `auth.corp.example:${port}`],
      });
      await withRealm('registry.corp.example', realmUrl, redirectHosts, ({ outcome, asked }) => {
        expect(outcome.verdict).toBe('refused');
        expect(asked).toEqual([]);
      });
    });

    it('goes to a foreign realm that the operator listed', async () => {
      const settings = (port: string) => ({ tokenRealms: [`auth.elsewhere.example:${port}`] });
      await withRealm(
        'registry.corp.example',
        (port) => `http://auth.elsewhere.example:${port}/token`,
        settings,
        ({ outcome, asked }) => {
          expect(outcome.verdict).toBe('right');
          expect(asked[0]?.headers.authorization).toBe(basicOf('user', 'planted-password'));
        },
      );
    });

    it.each(['registry.corp.example', 'auth.corp.example', 'listed.example'])(
      'of a registry with https never goes to a realm over http at %s',
      async (host) => {
        const folder = await mkdtemp(join(tmpdir(), 'oci-registry-ca-'));
        const certificate = makeCertificate(['registry.corp.example']);
        const caFile = join(folder, 'ca.pem');
        await writeFile(caFile, certificate.cert);
        await using realm = await ScriptedUpstream.start();
        await using upstream = await ScriptedUpstream.start({ tls: certificate });
        const [, port] = realm.host.split(':');
        upstream.on('GET', /^\/v2\//, challenge(`Bearer realm="http://${host}:${port}/token"`));
        const upstreamHost = `registry.corp.example:${upstream.host.split(':')[1]}`;
        for (const known of [credentials, {}]) {
          const settings = {
            namespace: 'registry.test',
            host: upstreamHost,
            tls: true,
            caFile,
            tokenRealms: [`${host}:${port}`],
          };
          await using mirror = await Mirror.start({ resolver: Names.here(), upstreams: [{ ...settings, ...known }] });
          const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
          expect([outcome.verdict, outcome.status]).toEqual(['refused', 502]);
        }
        expect(upstream.requests.length).toBeGreaterThan(0);
        expect(realm.connections).toBe(0);
        await rm(folder, { recursive: true });
      },
    );

    it('stays at home when the registry redirects to another, which asks for one', async () => {
      await using other = await FakeRegistry.start({ auth: 'bearer', anonymous: false, password: 'planted-other' });
      other.addBlob('team/app', layer);
      await using upstream = await ScriptedUpstream.start();
      const path = `/v2/team/app/blobs/${layer.digest}`;
      upstream.on('GET', path, redirect(`${other.url}${path}`));
      await using mirror = await Mirror.start({
        upstreams: [
          { namespace: 'registry.test', host: upstream.host, redirectHosts: [other.host], ...credentials },
          { namespace: 'other.test', host: other.host, username: 'user', password: 'planted-other' },
        ],
      });
      const refused = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
      expect(refused.verdict).toBe('refused');
      expect(other.requests.map(({ headers }) => headers.authorization).filter(Boolean)).toEqual([]);
      const own = await pull(`${mirror.url}/v2/other.test/team/app/blobs/${layer.digest}`, layer.body);
      expect(own.verdict).toBe('right');
      await expectNoSecrets(mirror, [refused]);
    });

    it('is not given to the place that a registry redirects to, which gives anybody a token of its own', async () => {
      await using other = await FakeRegistry.start({ auth: 'bearer' });
      other.addBlob('team/app', layer);
      await using upstream = await FakeRegistry.start({ auth: 'basic' });
      const path = `/v2/team/app/blobs/${layer.digest}`;
      upstream.behaviour.before = (request, response) => {
        if (request.headers.authorization !== undefined)
          response.writeHead(307, { location: `${other.url}${path}` }).end();
      };
      await using mirror = await Mirror.start({
        upstreams: [{ namespace: 'registry.test', host: upstream.host, redirectHosts: [other.host], ...credentials }],
      });
      const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, layer.body);
      expect(outcome.verdict).toBe('right');
      const sent = other.requests.map(({ headers }) => headers.authorization ?? 'none');
      expect(sent.filter((value) => value.startsWith('Basic'))).toEqual([]);
      expect(other.select({ kind: 'token' })).toHaveLength(1);
    });

    it('does not come back to the registry over a detour', async () => {
      await using upstream = await ScriptedUpstream.start();
      await using detour = await ScriptedUpstream.start();
      const path = `/v2/team/app/blobs/${layer.digest}`;
      upstream.on('GET', path, {
        respond: ({ headers }) =>
          headers.authorization === undefined ? challenge('Basic realm="r"') : redirect(`${detour.url}/away`),
      });
      detour.on('GET', '/away', redirect(`${upstream.url}/other-place`));
      upstream.on('GET', '/other-place', challenge('Basic realm="r"'));
      await using mirror = await Mirror.start({
        upstreams: [{ namespace: 'registry.test', host: upstream.host, redirectHosts: [detour.host], ...credentials }],
      });
      const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
      expect(outcome.status).toBe(401);
      expect(detour.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(upstream.select({ path: '/other-place' }).map(({ headers }) => headers.authorization)).toEqual([
        undefined,
      ]);
    });

    it.each(['http', 'credentials', 'ftp', 'nonsense'])(
      'is not at stake in a redirect that is not safe: %s',
      async (kind) => {
        const certificate = makeCertificate();
        await using plainPlace = await ScriptedUpstream.start();
        await using upstream = await ScriptedUpstream.start({ tls: certificate });
        const targets: Record<string, string> = {
          http: `${plainPlace.url}/x`,
          credentials: `https://user:planted-password@${upstream.host}/x`,
          ftp: 'ftp://127.0.0.1/x',
          nonsense: 'http://[',
        };
        upstream.on('GET', /^\/v2\//, redirect(targets[kind] ?? ''));
        await using mirror = await Mirror.start({
          upstreams: [
            { namespace: 'registry.test', host: upstream.host, tls: true, acceptInvalidCerts: true, ...credentials },
          ],
        });
        const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
        expect([outcome.verdict, outcome.status]).toEqual(['refused', 502]);
        expect([plainPlace.connections, upstream.count({ path: '/x' })]).toEqual([0, 0]);
        await expectNoSecrets(mirror, [outcome]);
      },
    );

    it('is not sent a sixth time round a loop of redirects', async () => {
      await using upstream = await ScriptedUpstream.start();
      upstream.on('GET', /^\/v2\//, redirect('/v2/loop'));
      await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
      const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer.digest}`, nothing);
      expect([outcome.status, upstream.requests.length]).toEqual([502, 6]);
    });
  },
);

describe('a token that the registry refuses with 403', () => {
  /** A registry that issues `token-1`, `token-2` and so on, and decides by token and path; blobs are named by their index. */
  async function withTokens(
    isAllowed: (token: number, path: string) => boolean,
    check: (get: (blob: number) => Promise<Outcome>, registry: ScriptedUpstream) => Promise<void>,
  ): Promise<void> {
    await using registry = await ScriptedUpstream.start();
    let issued = 0;
    registry.on('GET', /^\/token/, { respond: () => plain(200, `{"token":"token-${(issued += 1)}"}`) });
    registry.on('GET', /^\/v2\//, {
      respond: ({ headers, path }) => {
        const [, token] = /^Bearer token-(\d+)$/.exec(headers.authorization ?? '') ?? [];
        if (token === undefined) return challenge(`Bearer realm="${registry.url}/token",service="s"`);
        const found = blobs.find(({ digest }) => path.endsWith(digest));
        return isAllowed(Number(token), path) && found ? content(found.body) : plain(403);
      },
    });
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    const get = (index: number) => {
      const { digest, body } = blobs[index]!;
      return pull(`${mirror.url}/v2/registry.test/team/app/blobs/${digest}`, body);
    };
    await check(get, registry);
  }

  const blobs = Array.from({ length: 4 }, (_, index) => makeBlob(1000, `forbidden ${index}`));
  const tokensOf = (registry: ScriptedUpstream) => registry.count({ path: /^\/token/ });

  it('after it has worked is renewed once', async () => {
    let isExpired = false;
    await withTokens(
      (token) => token > 1 || !isExpired,
      async (get, registry) => {
        expect((await get(0)).verdict).toBe('right');
        isExpired = true;
        expect([(await get(1)).verdict, (await get(2)).verdict]).toEqual(['right', 'right']);
        expect(tokensOf(registry)).toBe(2);
      },
    );
  });

  it('at its first use is not renewed', async () => {
    await withTokens(
      () => false,
      async (get, registry) => {
        for (const blob of [0, 1, 2]) expect((await get(blob)).status).toBe(403);
        expect([tokensOf(registry), registry.count({ path: /^\/v2\// })]).toEqual([1, 4]);
      },
    );
  });

  it('for one thing, when others are allowed, is renewed once for that thing', async () => {
    await withTokens(
      (_token, path) => !path.endsWith(blobs[3]!.digest),
      async (get, registry) => {
        for (const blob of [0, 1]) expect((await get(blob)).verdict).toBe('right');
        for (let round = 0; round < 3; round += 1) expect((await get(3)).status).toBe(403);
        expect((await get(2)).verdict).toBe('right');
        expect((await get(3)).status).toBe(403);
        expect(tokensOf(registry)).toBe(2);
      },
    );
  });
});
