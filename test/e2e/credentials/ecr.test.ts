import { afterEach, describe, expect, it, vi } from 'vitest';
import { readNamespaces } from '../../../src/config/upstream-file.js';
import { UpstreamSettings } from '../../../src/config/upstream.settings.js';
import type { Environment } from '../../../src/config/aws/environment.js';
import { FakeAws } from '../../fakes/clouds/fake-aws.js';
import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Mirror } from '../support/mirror.js';

const image = makeImage({ layers: [1_000] });
const region = { region: 'eu-central-1' };

afterEach(() => vi.unstubAllEnvs());

async function startRegistry(aws: FakeAws, options: FakeRegistryOptions = { auth: 'basic' }): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start({ anonymous: false, username: 'AWS', ...options });
  Object.defineProperty(registry.behaviour, 'password', { get: () => aws.ecr.password });
  registry.addImage('team/app', image, ['1.0', '2.0', '3.0']);
  return registry;
}

function startMirror(registry: FakeRegistry, env: Environment, options: object = region): Promise<Mirror> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const entry = { namespace: 'registry.test', host: registry.host, tls: false, credentials: { ecr: options } };
  const [{ credentialSources } = new UpstreamSettings()] = readNamespaces(JSON.stringify([entry]), undefined).upstreams;
  return Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host, credentialSources }] });
}

const pull = (mirror: Mirror, reference: string) =>
  mirror.request.get(`/v2/registry.test/team/app/manifests/${reference}`);

function expectNoSecret(...texts: readonly string[]): void {
  for (const text of texts) expect(text).not.toMatch(/planted|Signature=/);
}

describe('a registry of ECR', () => {
  it.each([
    ['the environment', (aws: FakeAws) => aws.userEnv],
    ['a web identity', (aws: FakeAws) => aws.webIdentityEnv()],
    ['Pod Identity', (aws: FakeAws) => aws.podIdentityEnv()],
    ['an instance', (aws: FakeAws) => aws.env],
  ] as [string, (aws: FakeAws) => Environment | Promise<Environment>][])(
    'is pulled from with one token for all who wait, with keys of %s',
    async (_, envOf) => {
      await using aws = await FakeAws.start();
      await using registry = await startRegistry(aws);
      await using mirror = await startMirror(registry, await envOf(aws));
      const blobs = [image.config, ...image.layers].map(({ digest }) =>
        mirror.request.get(`/v2/registry.test/team/app/blobs/${digest}`),
      );
      const responses = await Promise.all([pull(mirror, '1.0'), pull(mirror, '2.0'), ...blobs]);
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(aws.ecr.requests).toHaveLength(1);
      expectNoSecret(mirror.log);
    },
  );

  it('has its token fetched again when that has expired, which ECR says with 403', async () => {
    await using aws = await FakeAws.start();
    await using registry = await startRegistry(aws);
    await using mirror = await startMirror(registry, aws.userEnv);
    await pull(mirror, '1.0').expect(200);
    const old = `Basic ${Buffer.from(`AWS:${aws.ecr.password}`).toString('base64')}`;
    aws.ecr.password = 'planted-second-password';
    registry.behaviour.before = ({ headers }, response) => {
      if (headers.authorization !== old) return;
      const message = 'Your authorization token has expired. Reauthenticate and try again.';
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'DENIED', message }] }));
    };
    await pull(mirror, '2.0').expect(200);
    expect(aws.ecr.requests).toHaveLength(2);
    expectNoSecret(mirror.log);
  });

  it('is signed in to as ECR Public is: a token of its realm for AWS, with the scope aws', async () => {
    await using aws = await FakeAws.start();
    aws.ecrPublic.password = aws.ecr.password;
    const challenge = { service: 'public.ecr.aws', scope: { literal: 'aws' } };
    await using registry = await startRegistry(aws, { auth: 'bearer', challenge });
    await using mirror = await startMirror(registry, aws.userEnv, { public: true });
    await pull(mirror, '1.0').expect(200);
    expect([aws.ecr.requests.length, aws.ecrPublic.requests.length]).toEqual([0, 1]);
    expectNoSecret(mirror.log);
  });

  it('is unavailable while AWS refuses a token, and the log says why', async () => {
    await using aws = await FakeAws.start();
    await using registry = await startRegistry(aws);
    aws.account.denied.add('arn:aws:iam::123456789012:user/mirror');
    await using mirror = await startMirror(registry, aws.userEnv);
    const { status, text } = await pull(mirror, '1.0');
    expect(status).toBe(503);
    expect(mirror.log).toContain('AccessDeniedException');
    expect(mirror.log).toContain('ecr:GetAuthorizationToken on the resource *');
    expect(registry.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    for (let index = 0; index < 20; index += 1) await pull(mirror, '1.0').expect(503);
    expect(aws.ecr.requests.length).toBeLessThan(10);
    expectNoSecret(mirror.log, text);
  });
});
