import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GoogleCloud } from '../../../../test/fakes/clouds/google-cloud.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';
import { planted } from '../../../../test/fakes/clouds/clocked-cloud.js';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { SystemClock } from '../../../config/clock/clock.js';
import { GoogleSettings } from '../../../config/credentials/google.settings.js';
import type { SourceContext } from '../credential.source.js';
import { GoogleFile } from './google.file.js';
import { GoogleSource } from './google.source.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const clock = new HandClock();
const cloudPlatform = 'https://www.googleapis.com/auth/cloud-platform';
const signal = () => AbortSignal.timeout(20_000);
let cloud: GoogleCloud;
let folder: string;

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'google-'))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await new GoogleCloud(clock).start();
  vi.stubEnv('GCE_METADATA_HOST', cloud.host);
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cloud[Symbol.asyncDispose]();
});

function sourceOf(settings: Partial<GoogleSettings> = {}, host = 'europe-docker.pkg.dev'): GoogleSource {
  const given = { tokenHosts: [cloud.host], ...settings };
  return new GoogleSource(Object.assign(new GoogleSettings(), given), contextOf(host));
}

function contextOf(host: string): SourceContext {
  const base = new URL(`https://${host}`);
  return { host, base, certificateAuthorities: undefined, acceptInvalidCerts: false, clock };
}

async function fileOf(text: string, name = 'credentials.json'): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

function stubAws(
  id = 'AKIAIOSFODNN7EXAMPLE',
  secret = cloud.aws.keys.get(id)?.secret,
  token: string | undefined = undefined,
): void {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_PROFILE', undefined);
  vi.stubEnv('AWS_ACCESS_KEY_ID', id);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
  vi.stubEnv('AWS_SESSION_TOKEN', token);
}

const paths = () => cloud.requests.map(({ url }) => url.pathname);
const lastForm = () => Object.fromEntries(new URLSearchParams(cloud.requests.at(-1)?.body));

describe('credentials from the metadata server of Google', () => {
  it('are the access token of the default service account, with its email and end', async () => {
    const credentials = await sourceOf().fetch(signal());
    expect(credentials.password.reveal()).toBe(cloud.lastToken);
    expect(credentials).toMatchObject({
      username: 'oauth2accesstoken',
      kind: 'password',
      expiresAt: clock.now() + 3_599_000,
      identity: `service account ${cloud.email}`,
    });
    expect(cloud.requests[0]?.url.search).toBe('');
  });

  it('are those of a named account and scopes', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/of/another/program');
    const source = sourceOf({ serviceAccount: cloud.email, scopes: ['a', 'b'] });
    expect((await source.fetch(signal())).identity).toBe(`service account ${cloud.email}`);
    expect(cloud.requests.map(({ url }) => url.searchParams.get('scopes'))).toEqual(['a,b']);
    const { message } = await failureOf(sourceOf({ serviceAccount: 'other@project.iam.gserviceaccount.com' }));
    expect(message).toContain('attach a service account to the machine, or correct service_account');
  });

  it('do not depend on the email', async () => {
    cloud.lie = { at: '/email', send: (_, response) => response.writeHead(500).end(planted) };
    expect((await sourceOf().fetch(signal())).identity).toBe('service account of the metadata server');
  });

  it('come from no server without its header', async () => {
    const body = JSON.stringify({ access_token: planted, expires_in: 3599 });
    cloud.lie = { at: '/token', send: (_, response) => response.end(body) };
    expect((await failureOf(sourceOf())).message).toContain(`${cloud.host} is not the metadata server of Google`);
  });

  it('need a server, or the message says what to set', async () => {
    const { host } = cloud;
    await cloud[Symbol.asyncDispose]();
    const { message } = await failureOf(sourceOf());
    expect(message).toBe(
      `the token request to the metadata server failed: ${host} cannot be reached (ECONNREFUSED); outside Google Cloud, set file or GOOGLE_APPLICATION_CREDENTIALS`,
    );
    vi.stubEnv('GCE_METADATA_HOST', 'http://169.254.169.254/');
    expect((await failureOf(sourceOf())).message).toContain('GCE_METADATA_HOST must be');
  });

  it.each([429, 500, 503])('come after a moment of status %d', async (status) => {
    let failures = 2;
    cloud.lie = {
      at: '/token',
      send: (_, response) => {
        failures -= 1;
        if (failures === 0) cloud.lie = undefined;
        response.writeHead(status).end();
      },
    };
    expect((await sourceOf().fetch(signal())).password.reveal()).toBe(cloud.lastToken);
    expect(paths().filter((path) => path.endsWith('/token'))).toHaveLength(3);
  });

  it('survive no lie', () => expectFailures(sourceOf(), cloud, '/token'));

  it.each([0, -5, 'soon', {}])('have no end after %j seconds', async (lifetime) => {
    cloud.lifetime = lifetime;
    expect((await failureOf(sourceOf())).message).toMatch(/already expired|no usable expires_in/);
  });

  it.each([
    ['3600', 3_600],
    [1e9, 86_400],
    [undefined, 600],
  ])('end after %j seconds in %d', async (lifetime, seconds) => {
    cloud.lifetime = lifetime;
    expect((await sourceOf().fetch(signal())).expiresAt).toBe(clock.now() + seconds * 1000);
  });
});

describe('credentials for a service account key of Google', () => {
  it('are the access token for a signed assertion', async () => {
    const file = await fileOf(cloud.keyFile());
    const credentials = await sourceOf({ file }).fetch(signal());
    expect(credentials.password.reveal()).toBe(cloud.lastToken);
    expect(credentials.identity).toBe(`service account ${cloud.email}`);
    expect(credentials.expiresAt).toBe(clock.now() + 3_599_000);
    expect(paths()).toEqual(['/token']);
  });

  it('are those of GOOGLE_APPLICATION_CREDENTIALS', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', await fileOf(cloud.keyFile()));
    await sourceOf({ scopes: [cloudPlatform] }).fetch(signal());
    expect(paths()).toEqual(['/token']);
  });

  it.each([
    ['another key', () => ({ private_key_id: 'other' }), /invalid_grant.*check that the key is enabled/],
    [
      'a host of nobody',
      () => ({ token_uri: 'https://evil.example/token' }),
      /token_uri of .*evil\.example.*token_hosts/,
    ],
    ['a host with a known end', () => ({ token_uri: 'https://evilgoogleapis.com/' }), /token_uri .*token_hosts/],
    ['plain http', () => ({ token_uri: 'http://oauth2.googleapis.com/token' }), /no https URL of Google/],
    ['another port', () => ({ token_uri: 'https://oauth2.googleapis.com:8443/token' }), /no https URL of Google/],
    ['a file as URL', () => ({ token_uri: 'file:///etc/passwd' }), /must be an http or https URL/],
    [
      'credentials in the URL',
      () => ({ token_uri: `https://a:${planted}@oauth2.googleapis.com/` }),
      /without credentials/,
    ],
    ['no key', () => ({ private_key: undefined }), /private_key is missing in/],
    ['a broken key', () => ({ private_key: `-----BEGIN PRIVATE KEY-----\n${planted}\n` }), /no private key in PEM/],
    ['a number for text', () => ({ client_email: 5 }), /client_email of .* must be text/],
    ['another type', () => ({ type: 'impersonated_service_account' }), /type of .* must be service_account/],
  ])('are none with %s', async (_, changes, message) => {
    const file = await fileOf(cloud.keyFile(changes()));
    expect((await failureOf(sourceOf({ file }))).message).toMatch(message);
  });

  it('may be asked for at each host of Google', async () => {
    const hosts = ['https://oauth2.googleapis.com/token', 'https://accounts.google.com/o/oauth2/token'];
    for (const uri of hosts) {
      const file = await GoogleFile.read(await fileOf(cloud.keyFile({ token_uri: uri })));
      expect(file.endpoint('token_uri', undefined, []).href).toBe(uri);
    }
  });

  it.each([
    ['', 'is no JSON object'],
    [`{"${planted}`, 'is no JSON object'],
    ['[]', 'is no JSON object'],
    [' '.repeat(200_000), 'is larger than'],
  ])('are none for a file %#', async (text, message) => {
    expect((await failureOf(sourceOf({ file: await fileOf(text) }))).message).toContain(message);
  });

  it('are none without the file', async () => {
    const file = join(folder, 'absent.json');
    expect((await failureOf(sourceOf({ file }))).message).toBe(
      `the credentials file ${file} cannot be read: ENOENT: no such file or directory`,
    );
    await expect(sourceOf({ file }).mark()).rejects.toThrow('ENOENT');
  });

  it('say how far the clocks differ', async () => {
    cloud.skew = -7200;
    const { message } = await failureOf(sourceOf({ file: await fileOf(cloud.keyFile()) }));
    expect(message).toContain(`the clock of this machine is 7200 s ahead of that of ${cloud.host}: correct it`);
  });

  it('survive no lie', async () => expectFailures(sourceOf({ file: await fileOf(cloud.keyFile()) }), cloud, '/token'));

  it('follow the file, as a mounted secret changes it', async () => {
    await fileOf('{}', 'old.json');
    await fileOf(cloud.keyFile(), 'new.json');
    const file = join(folder, 'link.json');
    await symlink('old.json', file);
    const source = sourceOf({ file });
    const before = await source.mark();
    expect(await source.mark()).toBe(before);
    expect((await failureOf(source)).message).toContain('type is missing in');
    await symlink('new.json', join(folder, 'next'));
    await rename(join(folder, 'next'), file);
    expect(await source.mark()).not.toBe(before);
    await source.fetch(signal());
  });
});

describe('credentials for the sign-in of a user at Google', () => {
  it('are the access token for the refresh token', async () => {
    const file = await fileOf(cloud.userFile());
    expect((await sourceOf({ file }).fetch(signal())).identity).toBe('user anna@example.com');
    expect(lastForm().grant_type).toBe('refresh_token');
  });

  it('end with the refresh token', async () => {
    const file = await fileOf(cloud.userFile({ refresh_token: `${planted}-revoked` }));
    expect((await failureOf(sourceOf({ file }))).message).toBe(
      `the token request for the user of ${file} failed: ${cloud.host} responded with 400 (invalid_grant); sign in again with gcloud auth application-default login`,
    );
  });
});

describe('credentials of workload identity federation at Google', () => {
  const token = async (text = cloud.subject) => ({ file: await fileOf(text, 'token') });

  it('are those of the impersonated service account for the token of a file', async () => {
    const file = await fileOf(cloud.federationFile(await token(` ${cloud.subject}\n`)));
    const credentials = await sourceOf({ file, scopes: ['a'] }).fetch(signal());
    expect(credentials.password.reveal()).toBe(cloud.lastToken);
    expect(credentials.identity).toBe(`service account ${cloud.email}`);
    expect(credentials.expiresAt).toBe(clock.now() + 3_600_000);
    expect(new URLSearchParams(cloud.requests[0]?.body).get('scope')).toBe(cloudPlatform);
    expect(JSON.parse(cloud.requests[1]?.body ?? '')).toEqual({ scope: ['a'], lifetime: '3600s' });
  });

  it('are those of the workload itself without impersonation', async () => {
    const changes = { service_account_impersonation_url: undefined };
    const file = await fileOf(cloud.federationFile(await token(), changes));
    expect((await sourceOf({ file, scopes: ['a', 'b'] }).fetch(signal())).identity).toBe(
      `workload of ${cloud.audience}`,
    );
    expect(lastForm().scope).toBe('a b');
    expect(cloud.requests).toHaveLength(1);
  });

  it('need the current token, which is read each time', async () => {
    const file = await fileOf(cloud.federationFile(await token('old')));
    const source = sourceOf({ file });
    expect((await failureOf(source)).message).toContain('invalid_grant); check audience');
    await token();
    await source.fetch(signal());
  });

  it('take the token from a URL with headers, as JSON', async () => {
    const format = { type: 'json', subject_token_field_name: 'access_token' };
    const source = { url: `${cloud.url}/subject`, headers: { 'X-Workload': planted }, format };
    const file = await fileOf(cloud.federationFile(source));
    await sourceOf({ file }).fetch(signal());
    expect(paths()[0]).toBe('/subject');
    const other = await fileOf(cloud.federationFile({ ...source, format: { ...format, type: 'xml' } }), 'other.json');
    expect((await failureOf(sourceOf({ file: other }))).message).toMatch(/format\.type of .* must be text or json/);
    await expectFailures(sourceOf({ file }), cloud, '/subject');
  });

  it.each([
    [{ executable: { command: 'x' } }, /credential_source\.executable of .* is not supported/],
    [{ certificate: {} }, /credential_source\.certificate of .* is not supported/],
    [{ environment_id: 'aws2' }, /credential_source\.environment_id of .* must be aws1/],
    [{}, /must have a file or a url/],
    [{ url: 'http://example.com/token' }, /credential_source\.url of .* must be an https URL/],
    [{ url: 'http://10.0.0.1/token' }, /credential_source\.url of .* must be an https URL/],
    ['text', /credential_source of .* must be an object/],
  ])('refuse the source %j', async (source, message) => {
    const file = await fileOf(cloud.federationFile(source as object));
    expect((await failureOf(sourceOf({ file }))).message).toMatch(message);
    expect(cloud.requests).toEqual([]);
  });

  it.each([
    [{ token_url: 'https://sts.evil.example/v1/token' }, /token_url .*token_hosts/],
    [
      { service_account_impersonation_url: 'https://evil.example/%/x' },
      /service_account_impersonation_url .*token_hosts/,
    ],
    [{ audience: undefined }, /audience is missing/],
  ])('send nothing elsewhere: %j', async (changes, message) => {
    const file = await fileOf(cloud.federationFile(await token(), changes));
    expect((await failureOf(sourceOf({ file }))).message).toMatch(message);
    expect(cloud.requests).toEqual([]);
  });

  describe('with AWS', () => {
    const source = {
      environment_id: 'aws1',
      region_url: 'http://127.0.0.1:9/latest/meta-data/placement/availability-zone',
      url: 'http://127.0.0.1:9/latest/meta-data/iam/security-credentials',
      regional_cred_verification_url: 'https://evil.example?Action=DeleteUser',
    };
    const type = { subject_token_type: 'urn:ietf:params:aws:token-type:aws4_request' };
    // The signature is checked with the time of day.
    const sourceNow = async () => {
      const file = await fileOf(cloud.federationFile(source, type));
      const settings = Object.assign(new GoogleSettings(), { file, tokenHosts: [cloud.host] });
      return new GoogleSource(settings, { ...contextOf('gcr.io'), clock: new SystemClock() });
    };

    it('prove who AWS says that the workload is', async () => {
      stubAws();
      expect((await (await sourceNow()).fetch(signal())).identity).toBe(`service account ${cloud.email}`);
      const { token, ...keys } = cloud.aws.issue('arn:aws:sts::123456789012:assumed-role/mirror/x');
      stubAws(keys.accessKeyId, keys.secret, token);
      await (await sourceNow()).fetch(signal());
    });

    it('are none for keys that AWS does not know, or with no region', async () => {
      stubAws(undefined, 'planted-cloud-secret/other');
      const { message } = await failureOf(await sourceNow());
      expect(message).toContain('invalid_grant); check audience');
      vi.stubEnv('AWS_REGION', 'evil.example/');
      expect((await failureOf(await sourceNow())).message).toContain('region of AWS must be');
    });
  });

  it('name the right that is missing', async () => {
    const impersonation = `${cloud.url}/v1/projects/-/serviceAccounts/${cloud.email}:generateAccessToken`;
    const file = await fileOf(
      cloud.federationFile(await token(), { service_account_impersonation_url: impersonation }),
    );
    cloud.lie = {
      at: ':generateAccessToken',
      send: (_, response) => response.writeHead(403).end('{"error":{"code":403,"status":"PERMISSION_DENIED"}}'),
    };
    expect((await failureOf(sourceOf({ file }))).message).toContain(
      '(PERMISSION_DENIED); grant the workload roles/iam.workloadIdentityUser',
    );
  });

  it.each(['/v1/token', ':generateAccessToken'])('survive no lie of %s', async (at) =>
    expectFailures(sourceOf({ file: await fileOf(cloud.federationFile(await token())) }), cloud, at),
  );
});

describe('an access token of Google', () => {
  it.each(['ghcr.io', 'pkg.dev.evil.example', 'evilgcr.io', 'eu.gcr.io.evil.example', 'pkg.dev', 'gcr.io:8443'])(
    'is not requested for %s',
    async (host) => {
      expect((await failureOf(sourceOf({}, host))).message).toContain(`add ${host} to registry_hosts`);
      expect(cloud.requests).toEqual([]);
    },
  );

  it('is not sent over plain http', async () => {
    const context = { ...contextOf('gcr.io'), base: new URL('http://gcr.io') };
    expect((await failureOf(new GoogleSource(new GoogleSettings(), context))).message).toContain('over https');
    expect(cloud.requests).toEqual([]);
  });

  it.each(['gcr.io', 'EU.gcr.io:443', 'mirror.gcr.io', 'us-central1-docker.pkg.dev', 'registry.example:5000'])(
    'is requested for %s',
    async (host) => {
      await sourceOf({ registryHosts: ['registry.example:5000'] }, host).fetch(signal());
      expect(cloud.given).toBe(1);
    },
  );
});
