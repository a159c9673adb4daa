import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { S3Settings } from '../../src/config/storage.settings.js';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { FakeR2, type PartRules } from './support/fake-r2.js';

/** Bytes are scaled down by this: a layer of 50 GiB has 50 MiB, and a part of 8 MiB has 8 KiB. */
const scale = 1024;
const gibibyte = 1024 ** 3 / scale;
const firstPart = (8 * 1024 ** 2) / scale;
const rules: Record<string, PartRules> = {
  'Cloudflare R2': { smallest: (5 * 1024 ** 2) / scale, maxParts: 10_000, areEqual: true },
  'Amazon S3': { smallest: (5 * 1024 ** 2) / scale, maxParts: 10_000, areEqual: false },
};
const key = 'blobs/sha256/ab/abcd';
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

/** @param size given to the ingest, as the upstream's Content-Length is. */
async function keep(server: FakeR2, content: Buffer, size: number | undefined): Promise<void> {
  const settings = { bucket: 'bucket', host: server.url, accessKey: 'planted-access-key' };
  const secret = { secretKey: 'planted-secret-key' };
  const provider = new S3Provider(Object.assign(new S3Settings(), settings, secret), { firstPart, retryDelay: 1 });
  await provider.initialize();
  const ingest = await provider.createIngest({ key, ...(size !== undefined && { size }) });
  try {
    const chunk = 1_000_003;
    for (let done = 0; done < content.length; done += chunk) await ingest.append(content.subarray(done, done + chunk));
    await ingest.commit(key);
    expect((await provider.stat(key)).size).toBe(content.length);
  } finally {
    await ingest.close();
    await provider.close();
  }
  expect(sha256(server.objects.get(`/bucket/${key}`)!.content)).toBe(sha256(content));
  expect(server.unfinished).toBe(0);
}

describe.each(Object.entries(rules))('equal parts: a layer of 50 GiB at %s', (name, limits) => {
  const content = randomBytes(50 * gibibyte + 12_345);

  it('is kept when its length is known, in parts of one size', { timeout: 240_000 }, async () => {
    await using server = await FakeR2.start(limits);
    await keep(server, content, content.length);
    expect(server.refusals).toBe(0);
    const [sizes = []] = server.completed;
    expect(new Set(sizes.slice(0, -1))).toEqual(new Set([firstPart]));
    expect(sizes).toHaveLength(Math.ceil(content.length / firstPart));
  });

  it(
    'is kept when its length is unknown: parts grow, and are sent again where they may not',
    { timeout: 240_000 },
    async () => {
      await using server = await FakeR2.start(limits);
      await keep(server, content, undefined);
      expect(server.refusals).toBe(name === 'Cloudflare R2' ? 1 : 0);
      expect(server.completed).toHaveLength(1);
    },
  );
});

describe('equal parts: a layer of 8 GiB, one part more than parts of one size hold', () => {
  it('is kept at Cloudflare R2', { timeout: 120_000 }, async () => {
    await using server = await FakeR2.start(rules['Cloudflare R2']!);
    const content = randomBytes(1001 * firstPart + firstPart + 1);
    await keep(server, content, content.length);
    expect(server.refusals).toBe(0);
  });
});
