import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../../../test/fakes/hand-clock.js';
import { FakeAws } from '../../../../test/fakes/clouds/fake-aws.js';
import { SystemClock } from '../../../config/clock/clock.js';
import { EcrSettings } from '../../../config/credentials/ecr.settings.js';
import type { Environment } from '../../../config/aws/environment.js';
import { EcrSource } from './ecr.source.js';

const registry = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

let aws: FakeAws;
beforeEach(async () => {
  aws = await FakeAws.start();
});
afterEach(() => aws[Symbol.asyncDispose]());

interface Options {
  readonly settings?: Partial<EcrSettings>;
  readonly host?: string;
  readonly signal?: AbortSignal;
}

async function fetch(env: Environment, { settings, host = registry, signal }: Options = {}) {
  const options = Object.assign(new EcrSettings(), settings);
  const source = new EcrSource(options, { host, clock: new SystemClock() }, env);
  const { password, ...others } = await source.fetch(signal ?? AbortSignal.timeout(30_000));
  return { ...others, password: password.reveal() };
}

/** The message, in which no secret is. */
async function failure(env: Environment, options?: Options): Promise<string> {
  const error: unknown = await fetch(env, options).then(
    () => expect.fail('credentials'),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'CredentialError' });
  const text = JSON.stringify(error, Object.getOwnPropertyNames(error));
  expect(text).not.toMatch(/planted|AKIA|ASIA|Signature=/);
  return (error as Error).message;
}

describe('a password of ECR', () => {
  it('is that of the response, for the account in the host, until the time that it states', async () => {
    const found = await fetch(aws.userEnv);
    expect(found).toMatchObject({ username: 'AWS', password: 'planted-ecr-password', kind: 'password' });
    expect(found.identity).toBe('AWS access key …MPLE (AWS_ACCESS_KEY_ID)');
    expect(Math.abs(found.expiresAt! - Date.now() - 12 * 3_600_000)).toBeLessThan(60_000);
    expect(JSON.parse(aws.ecr.requests[0]!.body)).toEqual({ registryIds: ['123456789012'] });
    expect(aws.requests).toHaveLength(1);
  });

  it('is asked for by the settings where the host says nothing', async () => {
    const settings = { region: 'eu-central-1', registryId: '210987654321' };
    await fetch(aws.userEnv, { host: 'mirror.example.com', settings });
    expect(JSON.parse(aws.ecr.requests[0]!.body)).toEqual({ registryIds: ['210987654321'] });
    await fetch(aws.userEnv, { host: 'mirror.example.com', settings: { region: 'eu-central-1' } });
    expect(JSON.parse(aws.ecr.requests[1]!.body)).toEqual({});
  });

  it('is not asked for without a sign that the registry is one of ECR', async () => {
    const env = { ...aws.userEnv, AWS_REGION: 'eu-central-1' };
    const message = await failure(env, { host: 'registry.example.com' });
    expect(message).toBe(
      'registry.example.com is no host of ECR: if it leads to a registry of ECR, set region or public of ecr',
    );
    expect(aws.requests).toHaveLength(0);
  });

  it('is had at the endpoint of the settings', async () => {
    await using other = await FakeAws.start();
    await fetch(aws.userEnv, { settings: { endpoint: other.ecr.url } });
    expect([aws.requests.length, other.requests.length]).toEqual([0, 1]);
  });

  it('is had from ECR Public with its own service', async () => {
    expect((await fetch(aws.userEnv, { host: 'public.ecr.aws' })).password).toBe('planted-ecr-password');
    expect(aws.ecrPublic.requests).toHaveLength(1);
    await fetch(aws.userEnv, { host: 'cache.example.com', settings: { public: true } });
    expect(aws.ecrPublic.requests).toHaveLength(2);
  });

  it.each([
    ['seconds', (time: number) => Math.round(time / 1000)],
    ['text', (time: number) => new Date(time).toISOString()],
  ])('has its time of expiry as %s', async (_, write) => {
    aws.ecr.expiresAt = write;
    expect(Math.abs((await fetch(aws.userEnv)).expiresAt! - Date.now() - 12 * 3_600_000)).toBeLessThan(60_000);
  });

  it('is used for twelve hours at most', async () => {
    aws.ecr.lifetime = 100 * 3_600_000;
    expect((await fetch(aws.userEnv)).expiresAt).toBeLessThanOrEqual(Date.now() + 12 * 3_600_000);
  });

  it('is fetched anew when a file of profiles changes', async () => {
    const source = new EcrSource(new EcrSettings(), { host: registry, clock: new SystemClock() }, aws.env);
    const before = await source.mark();
    expect(await source.mark()).toBe(before);
    await aws.write('credentials', '[default]\n');
    expect(await source.mark()).not.toBe(before);
  });
});

describe('a response of ECR', () => {
  const token = Buffer.from('AWS:planted').toString('base64');
  const valid = { authorizationToken: token, expiresAt: 4e9 };
  it.each([
    ['nothing', ''],
    ['HTML', '<html><body>planted</body></html>'],
    ['a number', '7'],
    ['null', 'null'],
    ['no data', '{}'],
    ['an empty list', '{"authorizationData":[]}'],
    ['no token', { ...valid, authorizationToken: undefined }],
    ['a token of another user', { ...valid, authorizationToken: Buffer.from('root:planted').toString('base64') }],
    ['an empty password', { ...valid, authorizationToken: Buffer.from('AWS:').toString('base64') }],
    ['a password of two lines', { ...valid, authorizationToken: Buffer.from('AWS:planted\r\nx').toString('base64') }],
    ['a token that is not base64', { ...valid, authorizationToken: 'AWS:planted' }],
    ['no expiry', { ...valid, expiresAt: undefined }],
    ['nonsense as expiry', { ...valid, expiresAt: 'planted' }],
    ['an expiry in milliseconds', { ...valid, expiresAt: 4e12 }],
    ['an expiry in the past', { ...valid, expiresAt: 1_500_000_000 }],
  ])('that is, or has, %s is refused', async (_, data) => {
    const body = typeof data === 'string' ? data : JSON.stringify({ authorizationData: [data] });
    aws.ecr.always = { body };
    expect(await failure(aws.userEnv)).toMatch(/^ECR's response to GetAuthorizationToken /);
  });

  it('that is too large is refused', async () => {
    aws.ecr.always = 'endless';
    expect(await failure(aws.userEnv)).toContain('exceeds 262144 bytes');
    expect(aws.ecr.requests).toHaveLength(1);
  });

  it('that is an error is explained', async () => {
    aws.account.denied.add('arn:aws:iam::123456789012:user/mirror');
    expect(await failure(aws.userEnv)).toBe(
      `ECR at ${aws.ecr.host} responded to GetAuthorizationToken with 400 AccessDeniedException: access key …MPLE (AWS_ACCESS_KEY_ID) may not do this; allow it ecr:GetAuthorizationToken on the resource *`,
    );
    expect(await failure(aws.userEnv, { host: 'public.ecr.aws' })).toContain('sts:GetServiceBearerToken');
    const wrong = { ...aws.userEnv, AWS_SECRET_ACCESS_KEY: 'planted-wrong' };
    expect(await failure(wrong)).toContain('the secret key of access key …MPLE (AWS_ACCESS_KEY_ID) does not belong');
    expect(await failure({ ...wrong, AWS_ACCESS_KEY_ID: 'AKIAGONE' })).toContain('AWS does not know the keys of');
    expect(await failure({ ...aws.userEnv, AWS_SESSION_TOKEN: 'planted' })).toContain('UnrecognizedClientException');
    aws.ecr.always = { status: 302, headers: { location: 'http://elsewhere.test/' } };
    expect(await failure(aws.userEnv)).toMatch(/with 302$/);
    aws.ecr.always = { status: 403, body: '<html>planted</html>' };
    expect(await failure(aws.userEnv)).toMatch(/with 403: this is no response of AWS/);
    aws.ecr.always = { status: 400, body: '{"__type":"planted-code"}' };
    expect(await failure(aws.userEnv)).not.toContain('planted');
  });

  it.each([
    ['RequestTimeTooSkewed', 403, 'The difference between the request time and the current time is too large.'],
    ['InvalidSignatureException', 400, 'Signature expired: 20170111T204052Z is now earlier than 20170111T225449Z'],
    ['SignatureDoesNotMatch', 403, 'Signature not yet current: 20170111T204052Z is still later than 20170111T195449Z'],
  ])('that means a wrong clock says so: %s', async (type, status, message) => {
    const date = (time: number) => ({ date: new Date(time).toUTCString() });
    aws.ecr.always = { status, headers: date(Date.now() + 7_200_000), body: JSON.stringify({ __type: type, message }) };
    expect(await failure(aws.userEnv)).toContain('the clock of this machine is behind by 120 min');
    aws.ecr.always = { ...aws.ecr.always, headers: date(Date.now() - 7_200_000) };
    expect(await failure(aws.userEnv)).toContain('the clock of this machine is ahead by 120 min');
  });

  it('that a slow clock brings about says so', async () => {
    const clock = new HandClock();
    clock.jump((Date.now() - clock.now()) / 1000 - 3_600);
    const source = new EcrSource(new EcrSettings(), { host: registry, clock }, aws.userEnv);
    const error = source.fetch(AbortSignal.timeout(30_000));
    await expect(error).rejects.toThrow('the clock of this machine is behind by 60 min: synchronize it');
  });

  it.each([
    ['throttling', { status: 400, body: '{"__type":"com.amazon.coral.availability#ThrottlingException"}' }],
    ['too many requests', { status: 429 }],
    ['an error of the service', { status: 503, body: '<html>planted</html>' }],
    ['a closed connection', 'close'],
  ] as const)('that passes is tried again: %s', async (_, step) => {
    aws.ecr.next.push(step, step);
    expect((await fetch(aws.userEnv)).password).toBe('planted-ecr-password');
    expect(aws.ecr.requests).toHaveLength(3);
    aws.ecr.next.push(step, step, step);
    expect(await failure(aws.userEnv)).toMatch(/^ECR/);
    expect(aws.ecr.requests).toHaveLength(6);
  });

  it('that does not come is not waited for', async () => {
    aws.ecr.always = 'silence';
    const message = await failure(aws.userEnv, { signal: AbortSignal.timeout(300) });
    expect(message).toBe(`ECR: ${aws.ecr.host} did not respond in time`);
    aws.ecr.always = 'half';
    await failure(aws.userEnv, { signal: AbortSignal.timeout(300) });
    aws.ecr.always = { status: 503 };
    const began = performance.now();
    expect(await failure(aws.userEnv, { signal: AbortSignal.timeout(100) })).toContain('503');
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
