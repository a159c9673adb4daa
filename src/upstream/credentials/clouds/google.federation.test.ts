import { describe, expect, it, vi } from 'vitest';
import { planted } from '../../../../test/fakes/clouds/clocked-cloud.js';
import { GoogleMachine, signal } from '../../../../test/fakes/clouds/google-machine.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';
import { SystemClock } from '../../../config/clock/clock.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const machine = new GoogleMachine();
const cloudPlatform = 'https://www.googleapis.com/auth/cloud-platform';

function stubAws(id = 'AKIAIOSFODNN7EXAMPLE', secret = machine.cloud.aws.keys.get(id)?.secret, token?: string): void {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_PROFILE', undefined);
  vi.stubEnv('AWS_ACCESS_KEY_ID', id);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
  vi.stubEnv('AWS_SESSION_TOKEN', token);
}

describe('credentials of workload identity federation at Google', () => {
  const token = async (text = machine.cloud.subject) => ({ file: await machine.fileOf(text, 'token') });

  it('are those of the impersonated service account for the token of a file', async () => {
    const file = await machine.fileOf(machine.cloud.federationFile(await token(` ${machine.cloud.subject}\n`)));
    const credentials = await machine.sourceOf({ file, scopes: ['a'] }).fetch(signal());
    expect(credentials.password.reveal()).toBe(machine.cloud.lastToken);
    expect(credentials.identity).toBe(`service account ${machine.cloud.email}`);
    expect(credentials.expiresAt).toBe(machine.clock.now() + 3_600_000);
    expect(new URLSearchParams(machine.cloud.requests[0]?.body).get('scope')).toBe(cloudPlatform);
    expect(JSON.parse(machine.cloud.requests[1]?.body ?? '')).toEqual({ scope: ['a'], lifetime: '3600s' });
  });

  it('are those of the workload itself without impersonation', async () => {
    const changes = { service_account_impersonation_url: undefined };
    const file = await machine.fileOf(machine.cloud.federationFile(await token(), changes));
    expect((await machine.sourceOf({ file, scopes: ['a', 'b'] }).fetch(signal())).identity).toBe(
      `workload of ${machine.cloud.audience}`,
    );
    expect(machine.lastForm.scope).toBe('a b');
    expect(machine.cloud.requests).toHaveLength(1);
  });

  it('need the current token, which is read each time', async () => {
    const file = await machine.fileOf(machine.cloud.federationFile(await token('old')));
    const source = machine.sourceOf({ file });
    expect((await failureOf(source)).message).toContain('invalid_grant); check audience');
    await token();
    await source.fetch(signal());
  });

  it('take the token from a URL with headers, as JSON', async () => {
    const format = { type: 'json', subject_token_field_name: 'access_token' };
    const source = { url: `${machine.cloud.url}/subject`, headers: { 'X-Workload': planted }, format };
    const file = await machine.fileOf(machine.cloud.federationFile(source));
    await machine.sourceOf({ file }).fetch(signal());
    expect(machine.paths[0]).toBe('/subject');
    const other = await machine.fileOf(
      machine.cloud.federationFile({ ...source, format: { ...format, type: 'xml' } }),
      'other.json',
    );
    expect((await failureOf(machine.sourceOf({ file: other }))).message).toMatch(
      /format\.type of .* must be text or json/,
    );
    await expectFailures(machine.sourceOf({ file }), machine.cloud, '/subject');
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
    const file = await machine.fileOf(machine.cloud.federationFile(source as object));
    expect((await failureOf(machine.sourceOf({ file }))).message).toMatch(message);
    expect(machine.cloud.requests).toEqual([]);
  });

  it.each([
    [{ token_url: 'https://sts.evil.example/v1/token' }, /token_url .*token_hosts/],
    [
      { service_account_impersonation_url: 'https://evil.example/%/x' },
      /service_account_impersonation_url .*token_hosts/,
    ],
    [{ audience: undefined }, /audience is missing/],
  ])('send nothing elsewhere: %j', async (changes, message) => {
    const file = await machine.fileOf(machine.cloud.federationFile(await token(), changes));
    expect((await failureOf(machine.sourceOf({ file }))).message).toMatch(message);
    expect(machine.cloud.requests).toEqual([]);
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
      const file = await machine.fileOf(machine.cloud.federationFile(source, type));
      return machine.sourceOf({ file }, 'gcr.io', { clock: new SystemClock() });
    };

    it('prove who AWS says that the workload is', async () => {
      stubAws();
      expect((await (await sourceNow()).fetch(signal())).identity).toBe(`service account ${machine.cloud.email}`);
      const { token, ...keys } = machine.cloud.aws.issue('arn:aws:sts::123456789012:assumed-role/mirror/x');
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
    const impersonation = `${machine.cloud.url}/v1/projects/-/serviceAccounts/${machine.cloud.email}:generateAccessToken`;
    const file = await machine.fileOf(
      machine.cloud.federationFile(await token(), { service_account_impersonation_url: impersonation }),
    );
    machine.cloud.lie = {
      at: ':generateAccessToken',
      send: (_, response) => response.writeHead(403).end('{"error":{"code":403,"status":"PERMISSION_DENIED"}}'),
    };
    expect((await failureOf(machine.sourceOf({ file }))).message).toContain(
      '(PERMISSION_DENIED); grant the workload roles/iam.workloadIdentityUser',
    );
  });

  it.each(['/v1/token', ':generateAccessToken'])('survive no lie of %s', async (at) =>
    expectFailures(
      machine.sourceOf({ file: await machine.fileOf(machine.cloud.federationFile(await token())) }),
      machine.cloud,
      at,
    ),
  );
});
