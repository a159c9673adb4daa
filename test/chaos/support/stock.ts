import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StoredBlobs } from '../../../src/registry/reading/stored-blobs.js';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { UsesService } from '../../../src/registry/eviction/uses.service.js';
import { SpaceLedger } from '../../../src/storage/space/space.ledger.js';
import { Stage, type StageOptions } from '../../e2e/support/stage.js';
import { storedFiles } from '../../e2e/support/stored-files.js';
import { until } from './gate.js';
import type { FixtureBlob, FixtureImage } from '../../fixtures/images.js';

export const hour = 3_600_000;
export const day = 24 * hour;

/** A mirror of one registry whose stored files can be made as old as a test wants. */
export class Stock implements AsyncDisposable {
  private constructor(readonly stage: Stage) {}

  static async make(options: StageOptions = {}): Promise<Stock> {
    // Sweeps come when the test says so.
    return new Stock(await Stage.start({ ...options, server: { sweepInterval: 0, ...options.server } }));
  }

  get root(): string {
    return this.stage.mirror.root;
  }

  get sweeper(): SweepService {
    return this.stage.mirror.app.get(SweepService);
  }

  get stored(): StoredBlobs {
    return this.stage.mirror.app.get(StoredBlobs);
  }

  /** Adds an image to the registry and pulls all of it. */
  async pull(repository: string, image: FixtureImage, tag = 'latest'): Promise<void> {
    this.stage.registry.addImage(repository, image, [tag]);
    const { manifest, config, layers } = image;
    const paths = [`manifests/${tag}`, `manifests/${manifest.digest}`, ...[config, ...layers].map(blobPath)];
    for (const path of paths) {
      const { status } = await this.stage.get(`${repository}/${path}`);
      if (status !== 200) throw new Error(`${path} was answered ${status}`);
    }
    await this.settled();
  }

  /** Adds a blob to the registry and pulls it, without a manifest that would hold it. */
  async pullBlob(repository: string, blob: FixtureBlob): Promise<number> {
    this.stage.registry.addBlob(repository, blob);
    const { status, body } = await this.stage.get(`${repository}/${blobPath(blob)}`);
    if (!body.equals(blob.body)) throw new Error('the blob is not right');
    await this.settled();
    return status;
  }

  async settled(): Promise<void> {
    await this.stage.mirror.settled();
    await this.stage.mirror.app.get(UsesService).settled();
  }

  /** Waits until the uses so far are recorded, while answers may still be on their way. */
  settledUses(): Promise<void> {
    return this.stage.mirror.app.get(UsesService).settled();
  }

  /** How often the registry was asked for something of a kind. */
  asked(kind: string): number {
    return this.stage.registry.requests.filter((request) => request.kind === kind).length;
  }

  /** Makes the quota another one. */
  allow(bytes: number): void {
    Object.assign(this.stage.mirror.app.get(SpaceLedger), { quota: bytes });
  }

  /** Forgets what was used in this process, as a restart does. */
  forgetUses(): void {
    const uses = this.stage.mirror.app.get(UsesService);
    for (const field of ['noted', 'held']) (Reflect.get(uses, field) as Map<string, unknown>).clear();
  }

  /** Makes files as old as that: those whose path has the text in it, or all. */
  async age(milliseconds: number, part = ''): Promise<void> {
    const time = new Date(Date.now() - milliseconds);
    for (const file of await this.files(part)) await utimes(join(this.root, file), time, time);
  }

  files(part = ''): Promise<string[]> {
    return storedFiles(this.root).then((files) => files.filter((file) => file.includes(part)));
  }

  /** Without origins, whose use is that of their content. */
  async usedAt(part: string): Promise<number[]> {
    const files = (await this.files(part)).filter((file) => !file.startsWith('origins/'));
    return Promise.all(files.map(async (file) => (await stat(join(this.root, file))).mtimeMs));
  }

  async plant(path: string, content = 'foreign'): Promise<void> {
    await mkdir(dirname(join(this.root, path)), { recursive: true });
    await writeFile(join(this.root, path), content);
  }

  has({ digest }: FixtureBlob): Promise<boolean> {
    return this.files(`blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`).then(({ length }) => length > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
    await until(() => !this.sweeper.status.running, 'the sweep has ended');
    await this.stage[Symbol.asyncDispose]();
  }
}

export function hexOf(digest: string): string {
  return digest.split(':')[1] ?? '';
}

export function blobPath({ digest }: FixtureBlob): string {
  return `blobs/${digest}`;
}
