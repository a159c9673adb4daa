import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeAws } from '../../../../test/fakes/clouds/fake-aws.js';
import type { CloudStep, ScriptedCloud } from '../../../../test/fakes/clouds/scripted-cloud.js';
import type { Environment } from '../../../config/aws/environment.js';
import { SystemClock } from '../../../config/clock/clock.js';
import { EcrSettings } from '../../../config/credentials/ecr.settings.js';
import { CredentialError } from '../credential.source.js';
import { EcrSource } from './ecr.source.js';

let aws: FakeAws;
beforeAll(async () => {
  aws = await FakeAws.start();
});
afterAll(() => aws[Symbol.asyncDispose]());

/** What AWS, a proxy or a captive portal may send in place of a response. */
const lies: Readonly<Record<string, CloudStep>> = {
  'nothing at all': 'silence',
  'half a body': 'half',
  'an endless body': 'endless',
  'a closed connection': 'close',
  'an empty body': {},
  'a web page': { body: '<!DOCTYPE html><html><title>planted</title></html>' },
  'cut JSON': { body: '{"Token":"planted' },
  'an array': { body: '["planted"]' },
  'an empty object': { body: '{}' },
  'fields of other kinds': {
    body: '{"AccessKeyId":["planted"],"SecretAccessKey":7,"Token":{},"Expiration":1,"authorizationData":"planted"}',
  },
  'keys with a line break': {
    body: '{"AccessKeyId":"A","SecretAccessKey":"planted\\r\\nx: y","Token":"planted","Expiration":"2099-01-01T00:00:00Z"}',
  },
  'cut XML': { body: '<AssumeRoleResponse><Credentials><SecretAccessKey>planted' },
  'XML of another kind': { body: '<a><b>planted</b></a>' },
  'a redirect': { status: 302, headers: { location: 'http://127.0.0.1:1/planted' } },
  'status 400 with a secret as its code': { status: 400, body: '{"__type":"planted-1","message":"planted"}' },
  'status 401': { status: 401, body: 'planted' },
  'status 403 of a proxy': { status: 403, body: '<html>planted</html>' },
  'status 404': { status: 404, body: 'planted' },
  'status 429': { status: 429, body: 'planted' },
  'status 500': { status: 500, body: '<ErrorResponse><Error><Code>planted-1</Code></Error></ErrorResponse>' },
  'status 503': { status: 503, body: 'planted' },
};

/** Those that only the caller's signal ends in time. */
const slow = new Set([
  'nothing at all',
  'half a body',
  'a closed connection',
  'status 429',
  'status 500',
  'status 503',
]);

interface Step {
  readonly at: ScriptedCloud;
  readonly env: Environment;
  readonly settings?: Partial<EcrSettings>;
  readonly named: RegExp;
}

const steps: Readonly<Record<string, () => Step | Promise<Step>>> = {
  ECR: () => ({ at: aws.ecr, env: aws.userEnv, named: /^ECR/ }),
  'ECR Public': () => ({ at: aws.ecrPublic, env: aws.userEnv, settings: { public: true }, named: /^ECR/ }),
  AssumeRoleWithWebIdentity: async () => ({ at: aws.sts, env: await aws.webIdentityEnv(), named: /^STS/ }),
  AssumeRole: () => ({
    at: aws.sts,
    env: aws.userEnv,
    settings: { roleArn: 'arn:aws:iam::123456789012:role/pull' },
    named: /^STS/,
  }),
  'the agent of a container': async () => ({
    at: aws.agent,
    env: await aws.podIdentityEnv(),
    named: /^the credentials endpoint of the container/,
  }),
  'the metadata service': () => ({ at: aws.imds, env: aws.env, named: / the instance metadata service/ }),
};

describe('a wrong response', () => {
  it.each(Object.keys(steps))('of %s is an error that names the step, soon, and no secret', async (name) => {
    const { at, env, settings, named } = await steps[name]!();
    const options = Object.assign(new EcrSettings(), settings);
    const host = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';
    const source = new EcrSource(options, { host, clock: new SystemClock() }, env);
    for (const [lie, step] of Object.entries(lies)) {
      at.always = step;
      const error: unknown = await source.fetch(AbortSignal.timeout(slow.has(lie) ? 100 : 20_000)).then(
        () => expect.fail(`credentials for ${lie}`),
        (reason: unknown) => reason,
      );
      expect(error, lie).toBeInstanceOf(CredentialError);
      expect((error as Error).message, lie).toMatch(named);
      const everything = JSON.stringify(error, Object.getOwnPropertyNames(error));
      expect(everything, lie).not.toMatch(/planted|AKIA|ASIA|Signature=/);
    }
    at.always = undefined;
    expect((await source.fetch(AbortSignal.timeout(20_000))).username).toBe('AWS');
  });
});
