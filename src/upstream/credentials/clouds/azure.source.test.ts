import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AzureCloud } from '../../../../test/fakes/clouds/azure-cloud.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';
import { planted } from '../../../../test/fakes/clouds/clocked-cloud.js';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { AzureSettings } from '../../../config/credentials/azure.settings.js';
import { CloudClient, type CloudRequest } from '../cloud.client.js';
import { AzureSource } from './azure.source.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const clock = new HandClock();
const signal = () => AbortSignal.timeout(20_000);
const zeros = '00000000-0000-0000-0000-000000000000';
let cloud: AzureCloud;
let folder: string;

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'azure-'))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await new AzureCloud(clock).start();
  for (const name of ['CLIENT_ID', 'TENANT_ID', 'CLIENT_SECRET', 'FEDERATED_TOKEN_FILE'])
    vi.stubEnv(`AZURE_${name}`, undefined);
  vi.stubEnv('AZURE_AUTHORITY_HOST', `${cloud.url}/`);
  vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', cloud.url);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cloud[Symbol.asyncDispose]();
});

type Options = Omit<Partial<AzureSettings>, 'clientSecret'> & { readonly clientSecret?: string };

function sourceOf(settings: Options = {}, host = cloud.host, client?: CloudClient): AzureSource {
  const given = { registry: cloud.host, ...settings };
  const base = new URL(`http://${host}`);
  const context = { host, base, certificateAuthorities: undefined, acceptInvalidCerts: false, clock };
  return new AzureSource(Object.assign(new AzureSettings(), given), context, client);
}

const secretSettings = () => ({ clientId: cloud.client, tenantId: cloud.tenant, clientSecret: cloud.secret });

async function fileOf(text: string, name = 'token'): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

const formOf = (at: number) => Object.fromEntries(new URLSearchParams(cloud.requests.at(at)?.body));

describe('credentials of a workload identity at Azure', () => {
  beforeEach(async () => {
    vi.stubEnv('AZURE_CLIENT_ID', cloud.client);
    vi.stubEnv('AZURE_TENANT_ID', cloud.tenant);
    vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', await fileOf(`${cloud.assertion}\n`));
  });

  it('are the refresh token of the registry for the token of the file', async () => {
    const credentials = await sourceOf().fetch(signal());
    expect(credentials.password.reveal()).toBe(cloud.refreshToken());
    expect(credentials).toMatchObject({
      username: zeros,
      kind: 'password',
      expiresAt: clock.now() + 10_800_000,
      identity: `application ${cloud.client} of tenant ${cloud.tenant}`,
    });
    expect(cloud.requests.map(({ url }) => url.pathname)).toEqual([
      `/${cloud.tenant}/oauth2/v2.0/token`,
      '/oauth2/exchange',
    ]);
    expect(formOf(1).tenant).toBe(cloud.tenant);
  });

  it('follow the token, which is read each time', async () => {
    const source = sourceOf();
    await source.fetch(signal());
    cloud.assertion = `${planted}.assertion.2`;
    expect((await failureOf(source)).message).toContain(
      '401 (invalid_client, AADSTS700024); check tenant_id, client_id',
    );
    await fileOf(cloud.assertion);
    await source.fetch(signal());
    expect(await source.mark()).toBe('');
  });

  it('are those of the settings before those of the environment', async () => {
    vi.stubEnv('AZURE_CLIENT_ID', 'another');
    vi.stubEnv('AZURE_TENANT_ID', 'another');
    vi.stubEnv('AZURE_AUTHORITY_HOST', 'https://another.example');
    const { clientId, tenantId } = secretSettings();
    const tokenFile = await fileOf(cloud.assertion, 'other');
    await sourceOf({ clientId, tenantId, tokenFile, authorityHost: cloud.url }).fetch(signal());
  });

  it.each([
    ['AZURE_TENANT_ID', undefined, 'azure needs tenant_id or AZURE_TENANT_ID'],
    ['AZURE_CLIENT_ID', undefined, 'azure needs client_id or AZURE_CLIENT_ID'],
    ['AZURE_CLIENT_ID', 'another', 'responded with 400 (unauthorized_client, AADSTS700016); check'],
    ['AZURE_TENANT_ID', '../other', 'responded with 400 (invalid_request, AADSTS90002); check'],
    ['AZURE_AUTHORITY_HOST', 'http://login.example', 'AZURE_AUTHORITY_HOST must be an https URL'],
    ['AZURE_FEDERATED_TOKEN_FILE', '/absent', 'the token file /absent cannot be read: ENOENT'],
  ])('need %s, not %s', async (name, value, message) => {
    vi.stubEnv(name, value);
    expect((await failureOf(sourceOf())).message).toContain(message);
  });

  it('need one token in the file', async () => {
    await fileOf(' \n');
    expect((await failureOf(sourceOf())).message).toMatch(/the token file .* is empty/);
    await fileOf(`${planted}\n${planted}`);
    expect((await failureOf(sourceOf())).message).toMatch(/the token file .* has more than one line/);
  });

  it.each(['/oauth2/v2.0/token', '/oauth2/exchange'])('survive no lie of %s', (at) =>
    expectFailures(sourceOf(), cloud, at),
  );
});

describe('credentials of a managed identity at Azure', () => {
  it('are those of the machine', async () => {
    const { identity } = await sourceOf().fetch(signal());
    expect(identity).toBe('managed identity of the machine');
    expect(formOf(1)).not.toHaveProperty('tenant');
    cloud.hasSystemIdentity = false;
    expect((await failureOf(sourceOf())).message).toBe(
      `the token request to the instance metadata service failed: ${cloud.host} responded with 400 (invalid_request); assign a managed identity to the machine, and name it with client_id when there are several`,
    );
  });

  it('are those of an identity with a client ID or a resource ID', async () => {
    cloud.hasSystemIdentity = false;
    const { clientId } = secretSettings();
    const { resourceId } = cloud;
    expect((await sourceOf({ clientId }).fetch(signal())).identity).toBe(`managed identity ${cloud.client}`);
    expect((await sourceOf({ resourceId }).fetch(signal())).identity).toBe(`managed identity ${resourceId}`);
    vi.stubEnv('AZURE_CLIENT_ID', cloud.client);
    await sourceOf().fetch(signal());
  });

  it('need the service, or the message says what to do', async () => {
    vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:1');
    expect((await failureOf(sourceOf())).message).toContain('outside Azure, use workload identity');
    vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'ftp://x/y');
    expect((await failureOf(sourceOf())).message).toContain('AZURE_POD_IDENTITY_AUTHORITY_HOST must be');
  });

  it('survive no lie', () => expectFailures(sourceOf(), cloud, '/metadata/'));
});

describe('credentials for a client secret at Azure', () => {
  it('are those for the secret of the settings, of a file or of the environment', async () => {
    const { clientSecret, ...others } = secretSettings();
    const clientSecretFile = await fileOf(`${clientSecret}\n`, 'secret');
    vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', '/of/another/program');
    await sourceOf({ ...others, clientSecret }).fetch(signal());
    const source = sourceOf({ ...others, clientSecretFile });
    await source.fetch(signal());
    const before = await source.mark();
    await fileOf(`${planted}-new`, 'secret');
    expect(await source.mark()).not.toBe(before);
    expect((await failureOf(source)).message).toContain('401 (invalid_client, AADSTS7000215)');
    vi.stubEnv('AZURE_CLIENT_SECRET', `${clientSecret}\n`);
    await sourceOf(others).fetch(signal());
  });
});

describe('the exchange of a token at an Azure registry', () => {
  it('names the right that is missing', async () => {
    cloud.lie = {
      at: '/exchange',
      send: (_, response) => response.writeHead(401).end('{"errors":[{"code":"UNAUTHORIZED"}]}'),
    };
    expect((await failureOf(sourceOf())).message).toBe(
      `the exchange of the token of the managed identity of the machine failed: ${cloud.host} responded with 401 (UNAUTHORIZED); grant the identity the role AcrPull at the registry`,
    );
  });

  it.each([
    [{ exp: 5e11, iat: 0 }, 86_400],
    [{ exp: 1_000, nbf: 400 }, 600],
    [{}, 600],
    [{ exp: '12', iat: 5 }, 600],
  ])('believes the claims %j', async (claims, seconds) => {
    cloud.claims = claims;
    expect((await sourceOf().fetch(signal())).expiresAt).toBe(clock.now() + seconds * 1000);
  });

  it('tells the lifetime of a token whatever the clock of the registry says', async () => {
    cloud.skew = -100_000;
    expect((await sourceOf().fetch(signal())).expiresAt).toBe(clock.now() + 10_800_000);
  });

  it('takes what is no JWT, and no token that has expired', async () => {
    cloud.lie = { at: '/exchange', send: (_, response) => response.end('{"refresh_token":"opaque.%%.x"}') };
    expect((await sourceOf().fetch(signal())).expiresAt).toBe(clock.now() + 600_000);
    cloud.lie = undefined;
    cloud.claims = { iat: 100, exp: 100 };
    expect((await failureOf(sourceOf())).message).toContain('has already expired; compare the clocks');
  });

  it('is with registries of Azure only', async () => {
    const elsewhere = (host: string) => new AzureSource(new AzureSettings(), contextOf(host));
    for (const host of ['ghcr.io', 'azurecr.io.evil.example', 'evilazurecr.io', 'x.azurecr.io:8443', 'azurecr.io'])
      expect((await failureOf(elsewhere(host))).message).toContain(`has ${host} as another name, set registry`);
    expect((await failureOf(sourceOf({ registry: 'registry.example' }))).message).toContain(
      'over plain http: remove tls',
    );
    expect(cloud.requests).toEqual([]);
  });

  it.each([
    ['contoso.azurecr.io', 'https://login.microsoftonline.com'],
    ['contoso.eastus.geo.azurecr.io', 'https://login.microsoftonline.com'],
    ['contoso.azurecr.cn', 'https://login.chinacloudapi.cn'],
    ['contoso.azurecr.us', 'https://login.microsoftonline.us'],
  ])('of %s begins at %s', async (host, authority) => {
    vi.stubEnv('AZURE_AUTHORITY_HOST', undefined);
    const requests: URL[] = [];
    const send = (request: CloudRequest) => {
      requests.push(request.url);
      const text = JSON.stringify({ access_token: 'a', refresh_token: 'b' });
      return Promise.resolve({ status: 200, headers: {}, text });
    };
    const client = Object.assign(new CloudClient(), { send });
    const settings = Object.assign(new AzureSettings(), secretSettings());
    await new AzureSource(settings, contextOf(host), client).fetch(signal());
    expect(requests.map(({ href }) => href)).toEqual([
      `${authority}/${cloud.tenant}/oauth2/v2.0/token`,
      `https://${host}/oauth2/exchange`,
    ]);
  });
});

const contextOf = (host: string) => ({
  host,
  base: new URL(`https://${host}`),
  certificateAuthorities: undefined,
  acceptInvalidCerts: false,
  clock,
});
