import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { makeCertificate, type FixtureCertificate } from '../fixtures/certificate.js';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { accessKey, secretKey, type Bucket } from './support/s3-server.js';
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

async function withTls(certificate: FixtureCertificate, body: (host: string) => Promise<void>): Promise<void> {
  const tls = https.createServer(certificate);
  tls.listen(0, '127.0.0.1');
  await once(tls, 'listening');
  try {
    await body(`127.0.0.1:${(tls.address() as AddressInfo).port}`);
  } finally {
    tls.closeAllConnections();
    tls.close();
  }
}

const refusal = async (host: string) => {
  const provider = new S3Provider(bucket.settings({ host }), { requestTimeout: 5_000 });
  return provider.initialize().then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );
};

describe('TLS before a bucket', () => {
  it.each([
    [
      'an untrusted CA',
      makeCertificate(undefined, undefined, makeCertificate()),
      /a CA that is not trusted here .* set NODE/,
    ],
    ['a self-signed certificate', makeCertificate(), /is self-signed .* set NODE_EXTRA_CA_CERTS to its PEM file$/],
  ])('%s is named with what mends it', (_, certificate, reason) =>
    withTls(certificate, async (host) => {
      expect(await refusal(`https://${host}`)).toMatch(reason);
    }),
  );

  it.each([
    ['an expired certificate', makeCertificate(undefined, [-4, -2]), /has expired \(CERT_HAS_EXPIRED\): renew it/],
    ['a certificate of the future', makeCertificate(undefined, [2, 4]), /is not valid yet .* correct the clock/],
    [
      'a certificate of another host',
      makeCertificate(['other.test']),
      /another host name .*: give --host or S3_HOST a/,
    ],
  ])('%s is named with what mends it, in one line at the start and by doctor', (_, certificate, reason) =>
    withTls(certificate, async (host) => {
      await using folder = await Folder.make();
      await writeFile(folder.file('ca.pem'), certificate.cert);
      const keys = { S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey, NODE_EXTRA_CA_CERTS: folder.file('ca.pem') };
      const env = { S3_BUCKET: bucket.name, S3_HOST: `https://${host}`, ...keys };
      const { code, stderr } = await Program.run(['--listen', '127.0.0.1:0', 's3'], { env });
      expect([code, stderr.trimEnd().split('\n').length]).toEqual([2, 1]);
      expect(stderr.trimEnd()).toMatch(reason);
      expect((await Program.run(['doctor', 's3'], { env })).stdout).toMatch(reason);
    }),
  );

  it('says that https is assumed where a server speaks plain http', async () => {
    const host = new URL(server.url).host;
    const env = { S3_BUCKET: bucket.name, S3_HOST: host, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey };
    const { code, stderr } = await Program.run(['--listen', '127.0.0.1:0', 's3'], { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /for plain http, write http:\/\/ before the host in --host or S3_HOST, without which https is assumed\n$/,
    );
  });

  it('says that a server may expect TLS where it gets plain http', () =>
    withTls(makeCertificate(), async (host) => {
      expect(await refusal(`http://${host}`)).toMatch(
        /; if it expects TLS, write https:\/\/ before the host in --host or S3_HOST$/,
      );
    }));
});
