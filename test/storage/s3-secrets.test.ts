import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeleteBucketCommand, DeleteObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { spellingsOf } from '../chaos/support/spellings.js';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request, type Reply } from '../fakes/request.js';
import { makeBlob, makeImage } from '../fixtures/images.js';
import { FaultyProxy, type Fate } from './support/faulty-proxy.js';
import { accessKey, secretKey, type Bucket } from './support/s3-server.js';
import { bucketEnv } from './support/shared-bucket.js';
import { VersityGateway } from './support/versitygw.js';

const image = makeImage({ seed: 'secrets', layers: [200_000] });
const slow = makeBlob(1_000_000, 'slow');
const adminToken = 'planted-admin-token';
/** What signs a request is as good as a secret while it lasts. */
const signatures = ['X-Amz-Signature', 'AWS4-HMAC'];
const planted = [accessKey, secretKey, adminToken].flatMap(spellingsOf);
const found = (text: string, where: readonly string[] = [...planted, ...signatures]) =>
  where.filter((spelling) => text.includes(spelling));
const textOf = ({ status, headers, body }: Reply) => `${status} ${JSON.stringify(headers)} ${body.toString('latin1')}`;

let server: VersityGateway;
let bucket: Bucket;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
}, 180_000);
beforeEach(async () => {
  bucket = await server.makeBucket();
});
afterAll(() => server[Symbol.asyncDispose]());

/** The program on a bucket, behind a proxy that can make trouble, with all that it says to anybody. */
class Place implements AsyncDisposable {
  private readonly responses: Reply[] = [];

  private constructor(
    readonly registry: FakeRegistry,
    readonly proxy: FaultyProxy,
    private readonly folder: Folder,
    readonly program: Program,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<Place> {
    const registry = await FakeRegistry.start();
    registry.addImage('app', image, ['1']);
    registry.addBlob('app', slow);
    const proxy = await FaultyProxy.start(server.url);
    proxy.message = `${accessKey} ${secretKey} AWS4-HMAC`;
    const folder = await Folder.make();
    await mkdir(folder.file('temporary'));
    await writeFile(
      folder.file('upstreams.yaml'),
      `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`,
    );
    const own = { TMPDIR: folder.file('temporary'), ADMIN_TOKEN: adminToken, S3_HOST: proxy.url };
    const program = await Program.start(
      ['--listen', '127.0.0.1:0', '--log-level', 'trace', '--upstream-config-file', 'upstreams.yaml', 's3'],
      { cwd: folder.path, env: { ...bucketEnv(bucket), ...own, ...env } },
    );
    return new Place(registry, proxy, folder, program);
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await request(`${this.program.url}/${path}`, { headers });
    this.responses.push(response);
    return response;
  }

  /** Everything a client may do, and everybody who asks how it goes. */
  async useAll(): Promise<number[]> {
    const statuses: number[] = [];
    for (const path of [
      'manifests/1',
      `manifests/${image.manifest.digest}`,
      ...[image.config, ...image.layers].map(({ digest }) => `blobs/${digest}`),
      'tags/list',
      `referrers/${image.manifest.digest}`,
      'manifests/absent',
    ])
      statuses.push((await this.get(`v2/registry.test/app/${path}`)).status);
    for (const path of ['metrics', 'healthz', 'readyz', '_admin/usage', '_admin/sweep']) await this.get(path);
    await this.get('_admin/usage', { authorization: `Bearer ${adminToken}` });
    const page = await this.get('', { accept: 'text/html' });
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    return statuses;
  }

  /** Names and content of temporary files, those included that have no name any more. */
  async temporary(): Promise<string[]> {
    const root = this.folder.file('temporary');
    const texts = [...(await readdir(root, { recursive: true }))];
    for (const file of await storedFiles(root)) texts.push(await readFile(join(root, file), 'latin1'));
    const handles = `/proc/${this.program.pid}/fd`;
    for (const handle of await readdir(handles)) {
      const target = await readlink(join(handles, handle)).catch(() => '');
      if (target.startsWith(root)) texts.push(target, await readFile(join(handles, handle), 'latin1'));
    }
    return texts;
  }

  /** Ends it. @param except what answers may say, but no log. */
  async expectNoSecrets(except: readonly string[] = []): Promise<void> {
    this.program.kill('SIGTERM');
    await this.program.end;
    const said = this.program.stdout + this.program.stderr;
    expect(said).toContain('listening on');
    expect(found(said)).toEqual([]);
    for (const response of this.responses)
      expect(found(textOf(response)).filter((spelling) => !except.includes(spelling))).toEqual([]);
    expect(this.registry.requests.length).toBeGreaterThan(0);
    expect(found(JSON.stringify(this.registry.requests.map(({ url, headers }) => [url, headers])))).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.registry.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
    bucket.close();
  }
}

async function storedTexts(): Promise<string[]> {
  const texts: string[] = [];
  for (const Key of await bucket.paths()) {
    const { Body, Metadata } = await bucket.client.send(new GetObjectCommand({ Bucket: bucket.name, Key }));
    texts.push(`${Key} ${JSON.stringify(Metadata)} ${(await Body?.transformToString('latin1')) ?? ''}`);
  }
  return texts;
}

async function removeBucket(): Promise<void> {
  for (const Key of await bucket.paths())
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key }));
  await bucket.client.send(new DeleteBucketCommand({ Bucket: bucket.name }));
}

describe('the keys of a bucket', () => {
  it('stay where they belong when all is well, in temporary files and in objects too', async () => {
    await using place = await Place.start();
    for (let round = 0; round < 2; round += 1)
      expect((await place.useAll()).slice(0, 5)).toEqual([200, 200, 200, 200, 200]);
    place.registry.behaviour.bytesPerSecond = 400_000;
    const pull = place.get(`v2/registry.test/app/blobs/${slow.digest}`);
    const isUnderway = async () => (await place.temporary()).some((text) => text.length > 100_000);
    await until('a download is in a temporary file', isUnderway);
    expect((await place.temporary()).flatMap((text) => found(text))).toEqual([]);
    expect((await pull).status).toBe(200);
    await until('it is stored', async () =>
      (await bucket.paths('blobs/')).some((path) => path.endsWith(slow.digest.slice(7))),
    );
    const texts = await storedTexts();
    expect(texts.length).toBeGreaterThan(6);
    expect(texts.flatMap((text) => found(text))).toEqual([]);
    await place.expectNoSecrets();
  });

  it('are in no log of redirects, and the secret is not in the redirects', async () => {
    await using place = await Place.start({ S3_REDIRECT: 'true' });
    await place.useAll();
    await until('it is stored', async () => (await bucket.paths('blobs/')).length === 2 + image.layers.length);
    const { status, headers } = await place.get(`v2/registry.test/app/blobs/${image.layers[0]!.digest}`);
    expect(status).toBe(307);
    expect(headers.location).toContain('X-Amz-Signature');
    await place.useAll();
    // A signed URL has to say whose signature it is.
    await place.expectNoSecrets([...spellingsOf(accessKey), ...signatures]);
  });

  it.each<[string, Fate, RegExp]>([
    ['403 to everything', 403, /./],
    ['403 to writes', 403, /^PUT|^POST/],
    ['403 to reads', 403, /^GET|^HEAD/],
    ['500 to everything', 500, /./],
    ['lost answers', 'lose', /./],
    ['answers that break off', 'halve', /^GET/],
  ])('are not told of by failures: %s', async (_, fate, which) => {
    await using place = await Place.start();
    await place.useAll();
    place.proxy.fate = (line) => (which.test(line) ? fate : 'pass');
    await place.useAll();
    await place.get(`v2/registry.test/app/blobs/${slow.digest}`);
    await place.registry.stop();
    await place.useAll();
    await place.expectNoSecrets();
  });

  it('are not told of when the bucket is gone', async () => {
    await using place = await Place.start();
    await place.useAll();
    await removeBucket();
    await place.get(`v2/registry.test/app/blobs/${slow.digest}`);
    await place.useAll();
    await place.registry.stop();
    expect(Math.max(...(await place.useAll()))).toBeGreaterThanOrEqual(500);
    expect(place.program.stdout).toContain('NoSuchBucket');
    await place.expectNoSecrets();
  });
});
