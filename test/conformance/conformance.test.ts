import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { freePort } from '../storage/support/child.js';
import { accessKey, secretKey, type Bucket } from '../storage/support/s3-server.js';
import { VersityGateway } from '../storage/support/versitygw.js';
import { runConformance, type Version } from './support/conformance.program.js';
import { RequestBalancer } from './support/request.balancer.js';

const versions: readonly Version[] = ['1.1', 'dev'];
const timeout = 300_000;
const hosted = ['--hosted-namespace', 'conformance', '--allow-anonymous-push'];
const options = ['--listen', '127.0.0.1:0', ...hosted];

beforeAll(build, 180_000);

let results: Folder;
beforeAll(async () => void (results = await Folder.make()));
afterAll(() => results[Symbol.asyncDispose]());

/** Runs a version of the specification, and prints what came of it, the names of skipped tests included. */
async function conform(url: string, version: Version, place: string): Promise<void> {
  const outcome = await runConformance(url, version, 'conformance', join(results.path, place, version));
  const { tests, failures, skipped, skips } = outcome;
  console.log(`${place}, ${version}: ${tests} tests, ${failures} failures, ${skipped} skipped ${skips.join(', ')}`);
  expect(outcome.failed).toEqual([]);
  expect([failures, tests > 800]).toEqual([0, true]);
}

/** Runs version dev against three replicas, each request at another one. @param startWith starts one on their storage */
async function conformReplicas(
  startWith: (flags: readonly string[]) => Promise<Program>,
  place: string,
): Promise<void> {
  const start = async () => {
    const address = `127.0.0.1:${await freePort()}`;
    return startWith(['--listen', address, '--advertise-url', `http://${address}`, ...hosted]);
  };
  await using one = await start();
  await using two = await start();
  await using three = await start();
  await using balancer = await RequestBalancer.start([one.url, two.url, three.url]);
  await conform(balancer.url, 'dev', place);
}

describe('the OCI conformance program finds no failure', () => {
  describe('with content in a folder', () => {
    it.each(versions)('in version %s', { timeout }, async (version) => {
      await using folder = await Folder.make();
      await using program = await Program.start([...options, 'filesystem', '--root', folder.path]);
      await conform(program.url, version, 'folder');
    });

    it('with each request at another of three replicas', { timeout }, async () => {
      await using folder = await Folder.make();
      await mkdir(folder.path, { recursive: true });
      await conformReplicas(
        (flags) => Program.start([...flags, 'filesystem', '--root', folder.path]),
        'folder and replicas',
      );
    });
  });

  describe('with content in a bucket', () => {
    let server: VersityGateway;
    let bucket: Bucket;
    beforeAll(async () => {
      server = await VersityGateway.start();
      bucket = await server.makeBucket();
    }, 60_000);
    afterAll(() => server[Symbol.asyncDispose]());
    const start = (flags: readonly string[]) => {
      const env = {
        S3_ACCESS_KEY: accessKey,
        S3_SECRET_KEY: secretKey,
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      };
      return Program.start([...flags, 's3', '--bucket', bucket.name, '--host', server.url], { env });
    };

    it.each(versions)('in version %s', { timeout }, async (version) => {
      await using program = await start(options);
      await conform(program.url, version, 'bucket');
    });

    it('with each request at another of three replicas', { timeout }, async () => {
      bucket = await server.makeBucket();
      await conformReplicas(start, 'bucket and replicas');
    });
  });

  describe('with two workers', () => {
    it.each(versions)('in version %s', { timeout }, async (version) => {
      await using folder = await Folder.make();
      await mkdir(folder.path, { recursive: true });
      await using program = await Program.start([...options, '--workers', '2', 'filesystem', '--root', folder.path]);
      await conform(program.url, version, 'workers');
    });
  });
});
