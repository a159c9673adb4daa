import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeAws } from '../../../../../test/fakes/clouds/fake-aws.js';
import type { Environment } from '../../../../config/aws/environment.js';
import { SystemClock } from '../../../../config/clock/clock.js';
import { EcrSettings } from '../../../../config/credentials/ecr.settings.js';
import { EcrSource } from '../ecr.source.js';

let aws: FakeAws;
beforeEach(async () => {
  aws = await FakeAws.start();
});
afterEach(() => aws[Symbol.asyncDispose]());

const host = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

async function identity(env: Environment, settings: Partial<EcrSettings> = {}): Promise<string> {
  const options = Object.assign(new EcrSettings(), settings);
  const source = new EcrSource(options, { host, clock: new SystemClock() }, env);
  return (await source.fetch(AbortSignal.timeout(30_000))).identity;
}

/** The message, in which no secret is. */
async function failure(env: Environment, settings?: Partial<EcrSettings>): Promise<string> {
  const error: unknown = await identity(env, settings).then(
    (found) => expect.fail(found),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'CredentialError' });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/planted|AKIA|ASIA|Signature=/);
  return (error as Error).message;
}

/** Makes something of an account wrong. */
type Spoil = (fake: FakeAws) => unknown;

const userKeys = ['aws_access_key_id = AKIAIOSFODNN7EXAMPLE', 'aws_secret_access_key = planted-secret-key/of+a/user'];
const role = 'arn:aws:iam::123456789012:role/pull';
const session = (name: string) => `AWS arn:aws:sts::123456789012:assumed-role/${name}/oci-registry`;

describe('keys of the environment', () => {
  it('may end with a line break, and have a session token', async () => {
    const { accessKeyId, secret, token } = aws.account.issue(role);
    const env = {
      AWS_ACCESS_KEY_ID: `${accessKeyId}\n`,
      AWS_SECRET_ACCESS_KEY: `${secret}\n`,
      AWS_SESSION_TOKEN: token,
    };
    expect(await identity({ ...aws.env, ...env })).toBe('AWS access key …0001 (AWS_ACCESS_KEY_ID)');
  });

  it('are two', async () => {
    expect(await failure({ ...aws.userEnv, AWS_SECRET_ACCESS_KEY: '' })).toContain('must be set together');
    expect(await failure({ ...aws.userEnv, AWS_SECRET_ACCESS_KEY: 'planted\x00' })).toContain(
      'gives no usable AWS keys',
    );
  });
});

describe('keys of a profile', () => {
  const write = (config: readonly string[], credentials: readonly string[] = []) =>
    Promise.all([aws.write('config', config.join('\n')), aws.write('credentials', credentials.join('\n'))]);

  it('are those of the default one, or of the one that is named', async () => {
    await write(['[profile other]', ...userKeys], ['[default]', ...userKeys]);
    expect(await identity(aws.env)).toBe('AWS access key …MPLE (profile default)');
    expect(await identity({ ...aws.env, AWS_PROFILE: 'other' })).toBe('AWS access key …MPLE (profile other)');
    expect(await identity({ ...aws.env, AWS_PROFILE: 'none' }, { profile: 'other' })).toContain('(profile other)');
  });

  it('come after those of the environment, unless a profile is named', async () => {
    await write([], ['[default]', ...userKeys]);
    expect(await identity(aws.userEnv)).toContain('AWS_ACCESS_KEY_ID');
    expect(await identity({ ...aws.userEnv, AWS_PROFILE: 'default' })).toContain('profile default');
    expect(await identity(aws.userEnv, { profile: 'default' })).toContain('profile default');
  });

  it('may be those of a role', async () => {
    await write(
      [
        '[profile pull]',
        `role_arn = ${role}`,
        'source_profile = user',
        'external_id = planet-7',
        'role_session_name = ci',
      ],
      ['[user]', ...userKeys],
    );
    aws.sts.externalIds.set(role, 'planet-7');
    expect(await identity(aws.env, { profile: 'pull' })).toContain(
      'assumed-role/pull/ci (access key …MPLE (profile user)',
    );
    await write(['[profile pull]', `role_arn = ${role}`, 'credential_source = Environment', 'external_id = planet-7']);
    expect(await identity(aws.userEnv, { profile: 'pull' })).toContain(session('pull'));
    await write([
      '[profile pull]',
      `role_arn = ${role}`,
      'credential_source = Ec2InstanceMetadata',
      'external_id = planet-7',
    ]);
    expect(await identity(aws.env, { profile: 'pull' })).toContain('(role node-role (instance metadata)');
    const { AWS_WEB_IDENTITY_TOKEN_FILE: file } = await aws.webIdentityEnv();
    await write(['[profile pull]', `role_arn = ${role}`, `web_identity_token_file = ${file}`]);
    expect(await identity(aws.env, { profile: 'pull' })).toContain(session('pull'));
  });

  it.each([
    ['no profile', [], 'does not exist or has no keys'],
    ['an empty one', ['[profile p]', 'region = eu-west-1'], 'does not exist or has no keys'],
    [
      'a program',
      ['[profile p]', 'credential_process = /bin/x'],
      'credential_process, which is not supported: use helper',
    ],
    ['SSO', ['[profile p]', 'sso_session = y'], 'sso_session, which is not supported'],
    ['MFA', ['[profile p]', 'role_arn = r', 'source_profile = q', 'mfa_serial = m'], 'mfa_serial'],
    ['no role', ['[profile p]', 'source_profile = q', '[profile q]', ...userKeys], 'has no role_arn'],
    [
      'no source',
      ['[profile p]', 'role_arn = r', 'source_profile = q'],
      'the source_profile q of the profile p has no keys',
    ],
    ['a wrong source', ['[profile p]', 'role_arn = r', 'credential_source = Moon'], 'must be Environment'],
    [
      'a circle',
      ['[profile p]', 'role_arn = r', 'source_profile = q', '[profile q]', 'role_arn = r', 'source_profile = p'],
      "the profiles p, q, p assume each other's roles without end",
    ],
  ])('with %s are explained', async (_, config, message) => {
    await write(config);
    expect(await failure(aws.env, { profile: 'p' })).toContain(message);
  });

  it('are not had from files that cannot be read', async () => {
    expect(await failure({ ...aws.env, AWS_CONFIG_FILE: aws.folder })).toContain('is not a regular file');
  });
});

describe('keys of a web identity', () => {
  it('are those of its role, by an unsigned call, with the token of the moment', async () => {
    const env = await aws.webIdentityEnv();
    expect(await identity(env)).toBe(`${session('irsa')} (web identity token ${env.AWS_WEB_IDENTITY_TOKEN_FILE})`);
    expect(await identity({ ...env, AWS_ROLE_SESSION_NAME: 'here' })).toContain('/irsa/here ');
    await aws.write('token', 'planted-second-token');
    aws.sts.tokens.clear();
    aws.sts.tokens.add('planted-second-token');
    expect(await identity(env)).toContain(session('irsa'));
  });

  it.each([
    [
      'denied',
      (fake: FakeAws) => fake.account.denied.add('arn:aws:iam::123456789012:role/irsa'),
      'AccessDenied: the token in',
    ],
    ['expired', (fake: FakeAws) => fake.sts.expiredTokens.add('planted-web-identity-token'), 'has expired: renew'],
    [
      'unknown',
      (fake: FakeAws) => fake.sts.tokens.clear(),
      'InvalidIdentityToken: the account of the role does not accept',
    ],
    ['garbled', (fake: FakeAws) => (fake.sts.always = { body: '<html>planted</html>' }), 'check the endpoint'],
    ['unavailable', (fake: FakeAws) => fake.sts.stop(), 'STS: 127.0.0.1:'],
    ['too large', (fake: FakeAws) => (fake.sts.always = 'endless'), 'exceeds 262144 bytes'],
  ] as [string, Spoil, string][])('that are %s are explained', async (_, spoil, message) => {
    const env = await aws.webIdentityEnv();
    await spoil(aws);
    expect(await failure(env)).toContain(message);
  });

  it('need a file with one token', async () => {
    const env = await aws.webIdentityEnv();
    await aws.write('token', '\n');
    const file = `AWS_WEB_IDENTITY_TOKEN_FILE ${env.AWS_WEB_IDENTITY_TOKEN_FILE}`;
    expect(await failure(env)).toBe(`${file} is empty`);
    await aws.write('token', 'planted\r\nplanted');
    expect(await failure(env)).toContain('has more than one line');
    await rm(env.AWS_WEB_IDENTITY_TOKEN_FILE);
    expect(await failure(env)).toContain('cannot be read: ENOENT');
  });

  it.each([
    ['us-east-1', 'sts.us-east-1'],
    ['cn-north-1', 'sts.eu-central-1'],
    ['us-gov-west-1', 'sts.eu-central-1'],
    ['garage', 'sts.eu-central-1'],
    ['aws-global', 'sts.eu-central-1'],
    ['x y', 'sts.eu-central-1'],
  ])(
    'are had in the region of this machine, if its partition is that of the registry: %s',
    async (region, expected) => {
      const env: Environment = { ...(await aws.webIdentityEnv()), AWS_REGION: region, AWS_ENDPOINT_URL_STS: undefined };
      const source = new EcrSource(new EcrSettings(), { host, clock: new SystemClock() }, env);
      const message = source.fetch(AbortSignal.abort()).catch((error: unknown) => String(error));
      expect(await message).toContain(`STS: ${expected}.amazonaws.com did not respond`);
    },
  );
});

describe('keys of a container', () => {
  it('are those of EKS Pod Identity, with the token of the moment', async () => {
    const env = await aws.podIdentityEnv();
    expect(await identity(env)).toBe('AWS role of the container (container credentials)');
    aws.agent.token = 'planted-second-token';
    expect(await failure(env)).toContain('responded with 400: check that the pod or task has a role');
    await aws.write('pod-token', 'planted-second-token\n');
    expect(await identity(env)).toContain('container');
  });

  it('are had with the token of a variable, or none', async () => {
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI } = await aws.podIdentityEnv();
    const env = { ...aws.env, AWS_CONTAINER_CREDENTIALS_FULL_URI };
    expect(await identity({ ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: aws.agent.token })).toContain('container');
    aws.agent.token = undefined;
    expect(await identity(env)).toContain('container');
    expect(await failure({ ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'planted\r\nx: y' })).toContain('one line');
  });

  it.each([
    'http://169.254.169.254/x',
    'http://example.com/x',
    'http://127.0.0.1.example.com/x',
    'http://169.254.170.2.example.com/x',
    'http://localhost@example.com/x',
    'ftp://127.0.0.1/x',
    'planted',
  ])('are never asked for at %s', async (url) => {
    const env = { ...aws.env, AWS_CONTAINER_CREDENTIALS_FULL_URI: url };
    expect(await failure(env)).toContain('must be an https URL, or an http URL of 169.254.170.2');
  });

  it('have a path for a relative URI', async () => {
    const env = { ...aws.env, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@example.com/x' };
    expect(await failure(env)).toContain('must be a path');
  });

  it.each([
    ['garbled', { body: 'planted' }, 'does not send JSON'],
    ['empty', { body: '{}' }, 'gives no usable AWS keys'],
    ['refused', { status: 404 }, 'responded with 404'],
    ['expired', { body: document('2020-01-01T00:00:00Z') }, 'have expired: check the clock'],
    ['without end', { body: document('planted') }, 'without a valid time of expiry'],
    ['too large', 'endless', 'exceeds 262144 bytes'],
    ['cut', 'close', 'the credentials endpoint of the container: 127.0.0.1:'],
  ] as const)('that are %s are explained', async (_, step, message) => {
    aws.agent.always = step;
    expect(await failure(await aws.podIdentityEnv())).toContain(message);
  });

  it('are tried again when the agent is busy', async () => {
    aws.agent.next.push({ status: 503 }, { status: 429 });
    expect(await identity(await aws.podIdentityEnv())).toContain('container');
  });
});

describe('keys of an instance', () => {
  it('are had in a session', async () => {
    expect(await identity(aws.env)).toBe('AWS role node-role (instance metadata)');
    const [put, list, get] = aws.imds.requests;
    expect([put?.method, put?.path]).toEqual(['PUT', '/latest/api/token']);
    expect(list?.path).toBe('/latest/meta-data/iam/security-credentials/');
    expect(get?.path).toBe('/latest/meta-data/iam/security-credentials/node-role');
  });

  const others = 'there are no AWS keys in the environment, a profile, a web identity token or a container, and ';

  it('are not had when that is disabled', async () => {
    expect(await failure({ ...aws.env, AWS_EC2_METADATA_DISABLED: 'true' })).toContain(
      'AWS_EC2_METADATA_DISABLED is set',
    );
    expect(aws.requests).toHaveLength(0);
  });

  it.each([
    ['disabled', (fake: FakeAws) => (fake.imds.always = { status: 403 }), 'is disabled for this instance (403)'],
    ['no session', (fake: FakeAws) => (fake.imds.always = { body: '' }), 'sends no session token'],
    ['no role', (fake: FakeAws) => (fake.imds.role = undefined), 'has no role: attach an instance profile'],
    ['a wrong role', (fake: FakeAws) => (fake.imds.role = '<html>planted'), 'names no role'],
    ['no service', (fake: FakeAws) => fake.imds.stop(), 'the instance metadata service: 127.0.0.1:'],
    ['silence', (fake: FakeAws) => (fake.imds.always = 'silence'), 'the hop limit of the instance must be 2'],
    [
      'an error',
      (fake: FakeAws) =>
        fake.imds.next.push({ body: 's' }, { body: 'r' }, { body: '{"Code":"AssumeRoleUnauthorizedAccess"}' }),
      'has no keys for the role r (AssumeRoleUnauthorizedAccess)',
    ],
  ] as [string, Spoil, string][])('are explained when there is %s', async (_, spoil, message) => {
    await spoil(aws);
    const found = await failure(aws.env);
    expect(found.startsWith(others)).toBe(true);
    expect(found).toContain(message);
  });
});

describe('the order of keys', () => {
  it('is that of the SDK', async () => {
    const containers = await aws.podIdentityEnv();
    const env = { ...(await aws.webIdentityEnv()), ...containers };
    await aws.write('credentials', ['[default]', ...userKeys].join('\n'));
    expect(await identity({ ...aws.userEnv, ...env })).toContain('AWS_ACCESS_KEY_ID');
    expect(await identity(env)).toContain('profile default');
    await aws.write('credentials', '');
    expect(await identity(env)).toContain('web identity');
    expect(await identity(containers)).toContain('container');
    expect(await identity(aws.env)).toContain('instance');
  });

  it('ends at the first that is configured', async () => {
    const env = { ...(await aws.webIdentityEnv()), ...(await aws.podIdentityEnv()) };
    aws.sts.tokens.clear();
    expect(await failure(env)).toContain('InvalidIdentityToken');
    expect(aws.agent.requests).toHaveLength(0);
  });
});

describe('role_arn', () => {
  it('is assumed with the keys that were found', async () => {
    expect(await identity(aws.userEnv, { roleArn: role })).toBe(
      `${session('pull')} (access key …MPLE (AWS_ACCESS_KEY_ID), then role_arn)`,
    );
    aws.sts.externalIds.set(role, 'planet-7');
    expect(await identity(aws.userEnv, { roleArn: role, externalId: 'planet-7' })).toContain(session('pull'));
    expect(await failure(aws.userEnv, { roleArn: role })).toBe(
      `STS at ${aws.sts.host} responded to AssumeRole of ${role} with 403 AccessDenied: access key …MPLE (AWS_ACCESS_KEY_ID) may not do this; allow it sts:AssumeRole on the role, and it in the trust policy of the role`,
    );
  });

  it('is explained when the keys are wrong', async () => {
    const wrong = { ...aws.userEnv, AWS_SECRET_ACCESS_KEY: 'planted' };
    expect(await failure(wrong, { roleArn: role })).toContain('403 SignatureDoesNotMatch: the secret key of');
    aws.account.keys.clear();
    expect(await failure(aws.userEnv, { roleArn: role })).toContain('403 InvalidClientTokenId');
  });
});

function document(expiration: string): string {
  const keys = { AccessKeyId: 'A', SecretAccessKey: 'planted', Token: 'planted' };
  return JSON.stringify({ ...keys, Expiration: expiration });
}
