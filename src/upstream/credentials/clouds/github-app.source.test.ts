import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GithubCloud } from '../../../../test/fakes/clouds/github-cloud.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { GithubAppSettings } from '../../../config/credentials/github-app.settings.js';
import { GithubAppSource } from './github-app.source.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const clock = new HandClock();
const signal = () => AbortSignal.timeout(20_000);
let cloud: GithubCloud;
let folder: string;
let privateKeyFile: string;

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'github-'))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await new GithubCloud(clock).start();
  privateKeyFile = await fileOf(cloud.keyFile);
});
afterEach(() => cloud[Symbol.asyncDispose]());

async function fileOf(text: string): Promise<string> {
  const file = join(folder, 'app.pem');
  await writeFile(file, text);
  return file;
}

function sourceOf(settings: Partial<GithubAppSettings> = {}, host = 'containers.github.example'): GithubAppSource {
  const installationId = settings.owner === undefined ? String(cloud.installation) : undefined;
  const given = {
    appId: cloud.app,
    privateKeyFile,
    apiUrl: cloud.url,
    ...(installationId && { installationId }),
    ...settings,
  };
  const base = new URL(`https://${host}`);
  const context = { host, base, certificateAuthorities: undefined, acceptInvalidCerts: false, clock };
  return new GithubAppSource(Object.assign(new GithubAppSettings(), given), context);
}

const paths = () => cloud.requests.map(({ method, url }) => `${method} ${url.pathname}`);

describe('credentials of a GitHub App', () => {
  it('are an installation token that may only read packages', async () => {
    const credentials = await sourceOf().fetch(signal());
    expect(credentials.password.reveal()).toBe(cloud.lastToken);
    expect(credentials).toMatchObject({
      username: 'x-access-token',
      kind: 'password',
      expiresAt: clock.now() + 3_600_000,
      identity: 'GitHub App 12345, installation 678',
    });
    expect(paths()).toEqual(['POST /app/installations/678/access_tokens']);
    expect(JSON.parse(cloud.requests[0]?.body ?? '')).toEqual({ permissions: { packages: 'read' } });
  });

  it.each([
    ['acme', ['GET /orgs/acme/installation']],
    ['anna', ['GET /orgs/anna/installation', 'GET /users/anna/installation']],
  ])('are those of the installation for %s', async (owner, searches) => {
    const { identity } = await sourceOf({ owner }).fetch(signal());
    expect(identity).toBe(`GitHub App 12345, installation 678 of ${owner}`);
    expect(paths()).toEqual([...searches, 'POST /app/installations/678/access_tokens']);
  });

  it('come from GitHub Enterprise with the path of its API', async () => {
    await sourceOf({ apiUrl: `${cloud.url}/api/v3/`, owner: 'acme' }).fetch(signal());
    expect(paths()[0]).toBe('GET /api/v3/orgs/acme/installation');
  });

  it.each([
    [{ appId: '54321' }, '401; check that app_id and private_key_file belong to the same app'],
    [{ installationId: '1' }, '404; check installation_id, app_id and api_url'],
    [{ owner: 'nobody' }, 'the GitHub App 12345 is not installed for nobody: install it, or correct owner'],
  ])('are none for %j', async (settings, message) => {
    expect((await failureOf(sourceOf(settings))).message).toContain(message);
  });

  it('need the permission', async () => {
    cloud.permissions = { metadata: 'read' };
    expect((await failureOf(sourceOf())).message).toBe(
      `the token request for installation 678 of the GitHub App 12345 failed: ${cloud.host} responded with 422; grant the app the permission "Packages: read" and accept it for the installation`,
    );
  });

  it('follow the key, in either form', async () => {
    const source = sourceOf();
    const before = await source.mark();
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    await fileOf(other.export({ format: 'pem', type: 'pkcs8' }).toString());
    expect(await source.mark()).not.toBe(before);
    expect((await failureOf(source)).message).toContain('401');
    await fileOf(cloud.keyFile);
    await source.fetch(signal());
  });

  it.each([
    ['', 'has no private key in PEM'],
    [generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }), 'has no RSA key'],
    [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'pem', type: 'pkcs1' }),
      'has no RSA key',
    ],
  ])('need an RSA key %#', async (text, message) => {
    await fileOf(String(text));
    expect((await failureOf(sourceOf())).message).toContain(message);
    expect(cloud.requests).toEqual([]);
  });

  it.each([-50, 0, 250])('bear a clock that differs by %d seconds', async (skew) => {
    cloud.skew = skew;
    expect((await sourceOf().fetch(signal())).expiresAt).toBe(clock.now() + 3_600_000);
  });

  it.each([
    [-900, 'is 900 s ahead of'],
    [900, 'is 900 s behind'],
  ])('say that a clock differs by %d seconds', async (skew, message) => {
    cloud.skew = skew;
    expect((await failureOf(sourceOf())).message).toContain(message);
  });

  it('are none that have expired, or have no usable end', async () => {
    cloud.lifetime = -1;
    expect((await failureOf(sourceOf())).message).toContain('has already expired; compare the clocks');
    for (const end of ['tomorrow', '2026', 5, null]) {
      const body = JSON.stringify({ token: 'x', expires_at: end });
      cloud.lie = { at: '/access_tokens', send: (_, response) => response.writeHead(201).end(body) };
      expect((await failureOf(sourceOf())).message).toContain('has no usable expires_at');
    }
  });

  it('survive no lie', async () => {
    await expectFailures(sourceOf(), cloud, '/access_tokens');
    cloud.lie = { at: '/orgs/', send: (_, response) => response.end('{"id":-1}') };
    expect((await failureOf(sourceOf({ owner: 'acme' }))).message).toContain('has no usable id');
  });

  it('are for ghcr.io only when they are of github.com', async () => {
    const apiUrl = new GithubAppSettings().apiUrl;
    for (const host of ['ghcr.io.evil.example', 'registry.example', 'ghcr.io:8443']) {
      expect((await failureOf(sourceOf({ apiUrl }, host))).message).toContain(`https://ghcr.io only, not to ${host}`);
    }
  });
});
