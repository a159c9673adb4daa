import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/config/clock/clock.js';
import { readNamespaces } from '../../../src/config/upstream-file.js';
import { UpstreamSettings } from '../../../src/config/upstream.settings.js';
import { AzureCloud } from '../../fakes/clouds/azure-cloud.js';
import { type ClockedCloud, planted } from '../../fakes/clouds/clocked-cloud.js';
import { GithubCloud } from '../../fakes/clouds/github-cloud.js';
import { GoogleCloud } from '../../fakes/clouds/google-cloud.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Mirror } from '../support/mirror.js';

const image = makeImage({ layers: [1_000] });
const clock = new SystemClock();
let folder: string;

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'clouds-'))));
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

interface Case extends AsyncDisposable {
  readonly fake: ClockedCloud & { given: number };
  readonly username: string;
  /** What the registry accepts now. */
  readonly password: () => string;
  /** The source and its options, as JSON, which is YAML. */
  readonly source: object;
  /** The path of the request that gives a token. */
  readonly path: RegExp;
}

async function fileOf(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

function caseOf(fake: Case['fake'], username: string, password: () => string, source: object, path: RegExp): Case {
  return { fake, username, password, source, path, [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]() };
}

const cases: Record<string, (registry: string) => Promise<Case>> = {
  async google(registry) {
    const cloud = await new GoogleCloud(clock).start();
    const file = await fileOf('key.json', cloud.keyFile());
    const source = { google: { file, token_hosts: [cloud.host], registry_hosts: [registry] } };
    return caseOf(cloud, 'oauth2accesstoken', () => cloud.lastToken, source, /^\/token$/);
  },
  async azure() {
    const cloud = await new AzureCloud(clock).start();
    vi.stubEnv('AZURE_CLIENT_ID', cloud.client);
    vi.stubEnv('AZURE_TENANT_ID', cloud.tenant);
    vi.stubEnv('AZURE_AUTHORITY_HOST', cloud.url);
    vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', await fileOf('token', cloud.assertion));
    const now = Math.floor(Date.now() / 1000);
    cloud.claims = { iat: now, exp: now + 10_800 };
    const username = '00000000-0000-0000-0000-000000000000';
    const source = { azure: { registry: cloud.host } };
    return caseOf(cloud, username, () => cloud.refreshToken(), source, /exchange$/);
  },
  async github_app() {
    const cloud = await new GithubCloud(clock).start();
    const options = {
      app_id: Number(cloud.app),
      owner: 'acme',
      private_key_file: await fileOf('app.pem', cloud.keyFile),
    };
    const source = { github_app: { ...options, api_url: cloud.url } };
    return caseOf(cloud, 'x-access-token', () => cloud.lastToken, source, /access_tokens$/);
  },
};

/** A registry that accepts the newest token of the cloud only. */
async function startRegistry(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false });
  registry.addImage('team/app', image, ['1.0', '2.0']);
  return registry;
}

function startMirror(registry: FakeRegistry, source: object): Promise<Mirror> {
  const entry = { namespace: 'registry.test', host: registry.host, tls: false, credentials: source };
  const [{ credentialSources } = new UpstreamSettings()] = readNamespaces(JSON.stringify([entry]), undefined).upstreams;
  return Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host, credentialSources }] });
}

function expectNoSecret(mirror: Mirror, ...texts: readonly string[]): void {
  for (const text of [mirror.log, ...texts]) expect(text).not.toMatch(new RegExp(`${planted}|PRIVATE KEY`));
}

describe.each(Object.keys(cases))('credentials from %s', (name) => {
  it('pull with one request to the cloud, and another when they are refused', async () => {
    await using registry = await startRegistry();
    await using signIn = await cases[name]!(registry.host);
    const { fake, source, path, username, password } = signIn;
    Object.defineProperties(registry.behaviour, { username: { value: username }, password: { get: password } });
    await using mirror = await startMirror(registry, source);
    const pull = (reference: string) => mirror.request.get(`/v2/registry.test/team/app/manifests/${reference}`);
    const count = () => fake.requests.filter(({ url }) => path.test(url.pathname)).length;
    const blobs = [image.config, ...image.layers].map(({ digest }) => `/v2/registry.test/team/app/blobs/${digest}`);
    const responses = await Promise.all([pull('1.0'), pull('1.0'), ...blobs.map((blob) => mirror.request.get(blob))]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(count()).toBe(1);
    fake.given += 1;
    registry.revokeTokens();
    await pull('2.0').expect(200);
    expect(count()).toBe(2);
    expectNoSecret(mirror);
  });

  it('are named as the cause while the cloud is down', async () => {
    await using registry = await startRegistry();
    await using signIn = await cases[name]!(registry.host);
    await using mirror = await startMirror(registry, signIn.source);
    signIn.fake.lie = { at: '/', send: (__, response) => response.writeHead(503).end(planted) };
    const { status, text } = await mirror.request.get('/v2/registry.test/team/app/manifests/1.0');
    expect(status).toBe(503);
    expect(text).toContain('credentials');
    expect(mirror.log).toContain('responded with 503');
    expectNoSecret(mirror, text);
  });
});
