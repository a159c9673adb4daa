import { chmod, rename, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sourceCases, type SourceWorld } from '../../../test/contract/credential-source.js';
import { Folder } from '../../../test/e2e/support/folder.js';
import { AzureCloud } from '../../../test/fakes/clouds/azure-cloud.js';
import { planted, type ClockedCloud } from '../../../test/fakes/clouds/clocked-cloud.js';
import { FakeAws } from '../../../test/fakes/clouds/fake-aws.js';
import { GithubCloud } from '../../../test/fakes/clouds/github-cloud.js';
import { GoogleCloud } from '../../../test/fakes/clouds/google-cloud.js';
import { SystemClock } from '../../config/clock/clock.js';
import { readCredentials } from '../../config/credentials/credential-entries.js';
import { sourceSettings, type SourceKind } from '../../config/credentials/credential.settings.js';
import type { Problem } from '../../config/configuration-error.js';
import type { CredentialSource } from './credential.source.js';
import { makeSource } from './credential.sources.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const clock = new SystemClock();

/** The source of an entry of the upstream file. */
async function sourceOf(entry: object, host = 'registry.test', scheme = 'https'): Promise<CredentialSource> {
  const problems: Problem[] = [];
  const [settings] = readCredentials(entry, 'registry.test', 'credentials', problems);
  expect(problems).toEqual([]);
  const base = new URL(`${scheme}://${host}`);
  return makeSource(settings!, { host, base, certificateAuthorities: undefined, acceptInvalidCerts: false, clock });
}

/** A source that reads a file. */
async function fileWorld(content: string, entryOf: (file: string) => object): Promise<SourceWorld> {
  const folder = await Folder.make();
  const file = folder.file('file');
  await writeFile(file, content);
  return {
    source: await sourceOf(entryOf(file)),
    secrets: [planted],
    ends: false,
    garble: () => writeFile(file, `{"auths": "${planted}\n\n`),
    change: () => writeFile(file, ' '),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A source that asks a cloud. */
async function cloudWorld(cloud: ClockedCloud, source: Promise<CredentialSource>): Promise<SourceWorld> {
  const lie = (send: NonNullable<ClockedCloud['lie']>['send']) => () =>
    Promise.resolve(void (cloud.lie = { at: '/', send }));
  return {
    source: await source,
    secrets: [planted, 'PRIVATE KEY'],
    ends: true,
    garble: lie((_, response) => response.end(`{"access_token": "${planted}`)),
    stall: lie(() => undefined),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
}

const worlds: Record<SourceKind, () => Promise<SourceWorld>> = {
  static: () => fileWorld(planted, (file) => ({ static: { username: 'robot', password_file: file } })),
  docker_config: () => {
    const auth = Buffer.from(`robot:${planted}`).toString('base64');
    const config = JSON.stringify({ auths: { 'registry.test': { auth } } });
    return fileWorld(config, (file) => ({ docker_config: { file } }));
  },
  async helper() {
    const folder = await Folder.make();
    const name = folder.file('docker-credential-test');
    const write = async (script: string) => {
      await writeFile(`${name}.next`, `#!/bin/sh\n${script}\n`);
      await chmod(`${name}.next`, 0o700);
      await rename(`${name}.next`, name);
    };
    await write(`cat >/dev/null; echo '{"Username":"robot","Secret":"${planted}"}'`);
    return {
      source: await sourceOf({ helper: { name } }),
      secrets: [planted],
      ends: false,
      garble: () => write(`cat >/dev/null; echo '{"Secret":"${planted}'`),
      stall: () => write('exec sleep 60'),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
  async ecr() {
    const aws = await FakeAws.start();
    for (const [name, value] of Object.entries(aws.userEnv)) vi.stubEnv(name, value);
    return {
      source: await sourceOf({ ecr: {} }, '123456789012.dkr.ecr.eu-central-1.amazonaws.com'),
      // The keys are in the environment of the process, which the source refers to; its own tests look for them.
      secrets: [aws.ecr.password],
      ends: true,
      garble: () => Promise.resolve(void (aws.ecr.always = { body: '{"authorizationData": "planted-ecr-password' })),
      stall: () => Promise.resolve(void (aws.ecr.always = 'silence')),
      [Symbol.asyncDispose]: () => aws[Symbol.asyncDispose](),
    };
  },
  async google() {
    const cloud = await new GoogleCloud(clock).start();
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
    vi.stubEnv('GCE_METADATA_HOST', cloud.host);
    return cloudWorld(cloud, sourceOf({ google: { registry_hosts: ['registry.test'] } }));
  },
  async azure() {
    const cloud = await new AzureCloud(clock).start();
    vi.stubEnv('AZURE_AUTHORITY_HOST', cloud.url);
    const now = Math.floor(Date.now() / 1000);
    cloud.claims = { iat: now, exp: now + 10_800 };
    const settings = { client_id: cloud.client, tenant_id: cloud.tenant, client_secret: cloud.secret };
    return cloudWorld(cloud, sourceOf({ azure: { registry: cloud.host, ...settings } }, cloud.host, 'http'));
  },
  async github_app() {
    const cloud = await new GithubCloud(clock).start();
    const folder = await Folder.make();
    const file = folder.file('app.pem');
    await writeFile(file, cloud.keyFile);
    const options = { app_id: Number(cloud.app), installation_id: cloud.installation, private_key_file: file };
    const world = await cloudWorld(cloud, sourceOf({ github_app: { ...options, api_url: cloud.url } }));
    const end = async () => {
      await world[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    };
    return { ...world, change: () => writeFile(file, ' '), [Symbol.asyncDispose]: end };
  },
};

afterEach(() => vi.unstubAllEnvs());

describe.each(Object.keys(sourceSettings) as SourceKind[])('the source %s', (kind) => {
  it('is known by its key', async () => {
    await using world = await worlds[kind]();
    expect(world.source.kind).toBe(kind);
  });

  it.each(sourceCases)('$name', async ({ run }) => {
    await using world = await worlds[kind]();
    await run(world);
  });
});
