import { writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/config/clock/clock.js';
import { AzureCloud } from '../../fakes/clouds/azure-cloud.js';
import { type ClockedCloud, planted } from '../../fakes/clouds/clocked-cloud.js';
import { GithubCloud } from '../../fakes/clouds/github-cloud.js';
import { GoogleCloud } from '../../fakes/clouds/google-cloud.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { CredentialStage } from './stage.js';
import { visible } from './visible.js';

const image = makeImage({ layers: [1_000] });
const clock = new SystemClock();
afterEach(() => vi.unstubAllEnvs());

/** A cloud, and what a registry takes from it. */
interface Case {
  readonly cloud: ClockedCloud & { given: number };
  readonly username: string;
  /** The newest one: the registry accepts no other. */
  readonly password: () => string;
  readonly credentials: (host: string) => object;
  /** The path of the request that gives a token. */
  readonly path: RegExp;
}

async function fileOf(folder: Folder, text: string): Promise<string> {
  await writeFile(folder.file('file'), text);
  return folder.file('file');
}

async function google(folder: Folder): Promise<Case> {
  const cloud = await new GoogleCloud(clock).start();
  const file = await fileOf(folder, cloud.keyFile());
  return {
    cloud,
    username: 'oauth2accesstoken',
    password: () => cloud.lastToken,
    credentials: (host) => ({ google: { file, token_hosts: [cloud.host], registry_hosts: [host] } }),
    path: /^\/token$/,
  };
}

async function azure(folder: Folder): Promise<Case> {
  const cloud = await new AzureCloud(clock).start();
  vi.stubEnv('AZURE_CLIENT_ID', cloud.client);
  vi.stubEnv('AZURE_TENANT_ID', cloud.tenant);
  vi.stubEnv('AZURE_AUTHORITY_HOST', cloud.url);
  vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', await fileOf(folder, cloud.assertion));
  const now = Math.floor(Date.now() / 1000);
  cloud.claims = { iat: now, exp: now + 10_800 };
  return {
    cloud,
    username: '00000000-0000-0000-0000-000000000000',
    password: () => cloud.refreshToken(),
    credentials: () => ({ azure: { registry: cloud.host } }),
    path: /exchange$/,
  };
}

async function githubApp(folder: Folder): Promise<Case> {
  const cloud = await new GithubCloud(clock).start();
  const options = { app_id: Number(cloud.app), owner: 'acme', private_key_file: await fileOf(folder, cloud.keyFile) };
  return {
    cloud,
    username: 'x-access-token',
    password: () => cloud.lastToken,
    credentials: () => ({ github_app: { ...options, api_url: cloud.url } }),
    path: /access_tokens$/,
  };
}

const start = ({ username, password, credentials }: Case) =>
  CredentialStage.start(
    { auth: 'bearer', redirectBlobs: 307, accepts: (user, given) => user === username && given === password() },
    (host) => Promise.resolve({ credentials: credentials(host) }),
  );

function expectNoSecret(text: string, { username, password }: Case): void {
  expect(text).not.toContain(planted);
  expect(text).not.toContain('PRIVATE KEY');
  expect(text).not.toContain(Buffer.from(`${username}:${password()}`).toString('base64'));
}

describe('credentials from a cloud', () => {
  it.each([google, azure, githubApp])(
    'pull with one request to it, another when they are refused, and are seen nowhere: %o',
    async (make) => {
      await using folder = await Folder.make();
      const each = await make(folder);
      await using cloud = each.cloud;
      await using stage = await start(each);
      stage.registry.addImage('team/app', image, ['1', '2']);
      const count = () => cloud.requests.filter(({ url }) => each.path.test(url.pathname)).length;
      const blobs = [image.config, ...image.layers].map(({ digest }) => `team/app/blobs/${digest}`);
      const paths = ['team/app/manifests/1', ...blobs, ...blobs];
      const responses = await Promise.all(paths.map((path) => stage.pull(path)));
      expect(responses.map(({ status }) => status)).toEqual(paths.map(() => 200));
      expect(count()).toBe(1);
      cloud.given += 1;
      stage.registry.revokeTokens();
      responses.push(await stage.pull('team/app/manifests/2'));
      expect([responses.at(-1)?.status, count()]).toEqual([200, 2]);
      const texts = responses.map((response) => JSON.stringify(response));
      expectNoSecret(await visible(stage, texts), each);
    },
  );

  it('are named as the cause while it is down', async () => {
    await using folder = await Folder.make();
    const each = await google(folder);
    await using cloud = each.cloud;
    await using stage = await start(each);
    stage.registry.addImage('team/app', image, ['1']);
    cloud.lie = { at: '/', send: (_, response) => response.writeHead(503).end(planted) };
    const { status, text } = await stage.pull('team/app/manifests/1');
    expect(status).toBe(503);
    expect(text).toContain('credentials');
    expect(stage.mirror.log).toContain('responded with 503');
    expectNoSecret(await visible(stage, [text]), each);
  });
});
