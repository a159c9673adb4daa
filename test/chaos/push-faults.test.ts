import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OpenSessions } from '../../src/registry/hosted/open.sessions.js';
import { FilesystemProvider } from '../../src/storage/providers/filesystem/filesystem.provider.js';
import { UploadStore } from '../../src/storage/stores/upload.store.js';
import type { Heard, Said } from '../e2e/push/support/conversation.js';
import { Hosting, withQuery } from '../e2e/push/support/hosting.js';
import { storedFiles } from '../e2e/support/stored-files.js';

import { makeArtifact, makeImage, type FixtureImage } from '../fixtures/images.js';
import { sizes } from '../sizes.js';
import { FailingDisk } from './support/failing-disk.js';

const subject = makeImage({ seed: 'subject' });
const app = '/v2/local/app';

let root: string;
let disk: FailingDisk;
let hosting: Hosting;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-registry-faults-'));
  disk = new FailingDisk();
  hosting = await Hosting.start({ storage: new FilesystemProvider(root, disk.files), root });
});
afterAll(async () => {
  await hosting[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** A response that the push did not expect. */
class Stopped extends Error {
  constructor(readonly heard: Heard) {
    super(`${heard.status} ${heard.body.toString()}`);
  }
}

/** An image that is pushed in every way, and as a referrer. */
class Pushing {
  readonly image: FixtureImage;
  readonly tag: string;
  location: string | undefined;

  constructor(seed: string) {
    this.image = makeArtifact(subject, { seed, size: 100_000 });
    this.tag = seed;
  }

  get layer() {
    return this.image.layers[0]!;
  }

  /** @throws Stopped */
  async run(): Promise<void> {
    const { layer, tag } = this;
    const { config, manifest } = this.image;
    const begun = await this.step('POST', `${app}/blobs/uploads/`, { body: '' }, 202);
    this.location = begun.headers.location!;
    for (const body of [layer.body.subarray(0, 30_000), layer.body.subarray(30_000)]) {
      const patched = await this.step('PATCH', this.location, { body }, 202);
      this.location = patched.headers.location!;
    }
    await this.step('PUT', withQuery(this.location, `digest=${layer.digest}`), { body: '' }, 201);
    this.location = undefined;
    await this.step('POST', `${app}/blobs/uploads/?digest=${config.digest}`, { body: config.body }, 201);
    const headers = [`content-type: ${manifest.mediaType}`];
    await this.step('PUT', `${app}/manifests/${tag}`, { body: manifest.body, headers }, 201);
  }

  /** What is readable is whole, and a manifest is there with all that it names. */
  async assertWhole(isDone: boolean): Promise<void> {
    const { layer, image, tag } = this;
    const isThere = async (target: string, body: Buffer) => {
      const heard = await hosting.ask('GET', `${app}/${target}`);
      expect([target, [200, 404].includes(heard.status)]).toEqual([target, true]);
      if (heard.status === 200) expect(heard.body.equals(body)).toBe(true);
      return heard.status === 200;
    };
    const { digest, body } = image.manifest;
    const [byTag, byDigest] = [await isThere(`manifests/${tag}`, body), await isThere(`manifests/${digest}`, body)];
    const hasLayer = await isThere(`blobs/${layer.digest}`, layer.body);
    if (byTag) expect(byDigest).toBe(true);
    if (byDigest) expect(hasLayer).toBe(true);
    if (isDone) expect([byTag, byDigest, hasLayer]).toEqual([true, true, true]);
    const list = await hosting.ask('GET', `${app}/referrers/${subject.manifest.digest}`);
    const isListed = list.body.includes(digest);
    expect(isListed && !byDigest).toBe(false);
    if (isDone) expect(isListed).toBe(true);
  }

  /** The session that the failure left goes on where it stands, or is unknown. */
  async finishSession(): Promise<void> {
    if (this.location === undefined) return;
    const { status, headers } = await hosting.ask('GET', this.location);
    if (status === 404) return;
    expect(status).toBe(204);
    const size = headers.range === '0-0' ? 0 : Number(headers.range!.split('-')[1]) + 1;
    expect([0, 30_000, 100_000]).toContain(size);
    const body = this.layer.body.subarray(size);
    const put = await hosting.ask('PUT', withQuery(headers.location!, `digest=${this.layer.digest}`), { body });
    // The failure may have kept a commit that ended the session from removing its record.
    expect([201, 404]).toContain(put.status);
  }

  private async step(method: string, target: string, said: Said, expected: number): Promise<Heard> {
    const heard = await hosting.ask(method, target, said);
    if (heard.status !== expected) throw new Stopped(heard);
    return heard;
  }
}

const modes: Record<string, (at: number) => FailingDisk['fails']> = {
  'fails once': (at) => (kind, call) => (kind === 'any' && call === at ? 'EIO' : undefined),
  'is full from a call on': (at) => (kind, call) => (kind === 'space' && call >= at ? 'ENOSPC' : undefined),
  'fails from a call on': (at) => (kind, call) => (kind === 'any' && call >= at ? 'EIO' : undefined),
};

describe.each(Object.entries(modes))('a disk that %s during a push', (name, failsAt) => {
  it(
    'refuses with 503, makes nothing partial readable, and the push succeeds again',
    { timeout: 120_000 },
    async () => {
      await new Pushing(`${name.replaceAll(' ', '-')}-before`).run();
      disk.plan(() => undefined);
      await new Pushing(`${name.replaceAll(' ', '-')}-counted`).run();
      const steps = disk.calls[name.includes('full') ? 'space' : 'any'];
      let refusals = 0;
      for (let at = 1; at <= steps; at += sizes.faultStride) {
        const push = new Pushing(`${name.replaceAll(' ', '-')}-${at}`);
        disk.plan(failsAt(at));
        const failure = await push.run().then(
          () => undefined,
          (error: unknown) => error,
        );
        const { failed } = disk;
        disk.repair();
        if (failure !== undefined) expect(failure).toBeInstanceOf(Stopped);
        if (failure instanceof Stopped) {
          refusals += 1;
          const { status, headers, body } = failure.heard;
          expect([at, status, body.toString()]).toEqual([at, 503, expect.stringContaining('UNAVAILABLE')]);
          expect(headers['retry-after']).toMatch(/^\d+$/);
          expect(failed).toBeGreaterThan(0);
        }
        await push.assertWhole(failure === undefined);
        await push.finishSession();
        await push.run();
        await push.assertWhole(true);
      }
      expect(steps).toBeGreaterThan(20);
      expect(refusals).toBeGreaterThan(steps / sizes.faultStride / 4);
      await sweep();
      expect((await storedFiles(root)).filter((path) => /^(ingest|uploads)\//.test(path))).toEqual([]);
    },
  );
});

async function sweep(): Promise<void> {
  await hosting.mirror.app.get(OpenSessions, { strict: false }).onApplicationShutdown();
  await hosting.mirror.app.get(UploadStore, { strict: false }).sweep(-5_000);
  const provider = new FilesystemProvider(root);
  await provider.initialize();
  await provider.sweepIngests(-5_000);
  await provider.close();
}
