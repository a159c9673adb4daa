import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { accessKey, secretKey, type Bucket } from '../storage/support/s3-server.js';
import { VersityGateway } from '../storage/support/versitygw.js';
import { runConformance, type Version } from './support/conformance.program.js';

const versions: readonly Version[] = ['1.1', 'dev'];
const timeout = 300_000;
const options = ['--listen', '127.0.0.1:0', '--hosted-namespace', 'conformance', '--allow-anonymous-push'];

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

describe('the OCI conformance program finds no failure', () => {
  describe('with content in a folder', () => {
    it.each(versions)('in version %s', { timeout }, async (version) => {
      await using folder = await Folder.make();
      await using program = await Program.start([...options, 'filesystem', '--root', folder.path]);
      await conform(program.url, version, 'folder');
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
    const start = (...more: readonly string[]) => {
      const env = {
        S3_ACCESS_KEY: accessKey,
        S3_SECRET_KEY: secretKey,
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      };
      const storage = ['s3', '--bucket', bucket.name, '--host', server.url];
      return Program.start([...options, ...more, ...storage], { env });
    };

    it.each(versions)('in version %s', { timeout }, async (version) => {
      await using program = await start();
      await conform(program.url, version, 'bucket');
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
