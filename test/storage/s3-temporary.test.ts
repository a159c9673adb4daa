import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, hasMounts, Program } from '../e2e/support/program.js';
import { until } from '../e2e/support/until.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeBlob } from '../fixtures/images.js';
import type { Bucket } from './support/s3-server.js';
import { bucketEnv } from './support/shared-bucket.js';
import { VersityGateway } from './support/versitygw.js';

let server: VersityGateway;
let bucket: Bucket;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
  bucket = await server.makeBucket();
}, 180_000);
afterAll(async () => {
  bucket.close();
  await server[Symbol.asyncDispose]();
});

/** The disk is a real one of twelve megabytes. */
describe.runIf(hasMounts)('a temporary folder on a disk that is full', () => {
  it('keeps nobody from a blob, lets nothing of it into the bucket, and is used again when there is room', async () => {
    await using folder = await Folder.make();
    const registry = await FakeRegistry.start();
    try {
      // One fails before its first part is whole, the other when parts of it are in the bucket already.
      const [large, larger, small] = [20, 60, 1].map((size) => makeBlob(size * 1_000_000, `${size} MB`)) as [
        ReturnType<typeof makeBlob>,
        ReturnType<typeof makeBlob>,
        ReturnType<typeof makeBlob>,
      ];
      for (const blob of [large, larger, small]) registry.addBlob('app', blob);
      await mkdir(folder.file('temporary'));
      await writeFile(folder.file('u.yaml'), `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`);
      const args = ['--listen', '127.0.0.1:0', '--upstream-config-file', 'u.yaml', 's3'];
      await using program = await Program.start(args, {
        cwd: folder.path,
        env: { ...bucketEnv(bucket), TMPDIR: folder.file('temporary') },
        mounts: 'mount -t tmpfs -o size=12m none temporary',
      });
      const pull = async ({ digest, body }: typeof small) => {
        const response = await request(`${program.url}/v2/registry.test/app/blobs/${digest}`);
        expect([response.status, response.body.equals(body)]).toEqual([200, true]);
        return response.headers['x-cache'];
      };
      await Promise.all([large, large, larger, larger].map(pull));
      expect(program.stdout).toContain('ENOSPC');
      await until('nothing of them is in the bucket', async () => (await bucket.unfinished()).length === 0);
      expect(await bucket.paths('blobs/')).toEqual([]);
      expect(await bucket.paths('repositories/')).toEqual([]);

      await pull(small);
      const hex = small.digest.slice(7);
      await until('what has room is kept', async () =>
        (await bucket.paths('repositories/')).some((path) => path.endsWith(hex)),
      );
      expect(await bucket.paths('blobs/')).toEqual([`blobs/sha256/${hex.slice(0, 2)}/${hex}`]);
      expect(await pull(small)).toBe('HIT');
    } finally {
      await registry.close();
    }
    expect(await readdir(folder.file('temporary'))).toEqual([]);
  });
});
