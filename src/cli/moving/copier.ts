import type { Digest } from '../../oci/digest.js';
import type { Platform } from '../../oci/platform.js';
import type { Collection, Root, Target } from './content.js';
import { readDocument, type Document, type Entry } from './documents.js';
import { choosePlatforms, maxDepth } from './platforms.js';
import { MoveError } from './move-error.js';
import type { MoveReport } from './move.report.js';
import { Semaphore } from '../../config/concurrency/semaphore.js';
import { eachOf } from './each-of.js';

/** Blobs that are moved at the same time. */
const concurrentBlobs = 4;
/** Most manifests that belong to one image, referrers included. */
const maxManifests = 20_000;

export interface CopyOptions {
  readonly platforms: readonly Platform[];
  readonly report: MoveReport;
  readonly signal: AbortSignal;
}

/** Copies images of one repository to another: blobs, then manifests, then referrers, then the tag. */
export class Copier {
  private readonly trees = new Map<string, Promise<void>>();
  private readonly blobs = new Map<string, Promise<void>>();
  private readonly referrers = new Set<string>();
  private readonly slots = new Semaphore(concurrentBlobs);

  constructor(
    private readonly source: Collection,
    private readonly target: Target,
    private readonly options: CopyOptions,
  ) {}

  /** Whether a manifest has been copied, or was there. */
  has(digest: Digest): boolean {
    return this.trees.has(digest.toString());
  }

  /** Copies an image, and reports what becomes of it. @throws the reason of the signal only */
  async copy(root: Root): Promise<void> {
    const { report, signal } = this.options;
    const name = `${this.target.name}${root.tag === undefined ? `@${root.digest.toString()}` : `:${root.tag}`}`;
    try {
      const document = await this.choose(await this.load(root));
      const isThere = await this.isThere(root, document);
      await this.copyWithReferrers(document, name);
      if (!isThere) await this.target.putTag(root.tag, document);
      report.settle(name, isThere ? 'skipped' : 'taken', document);
    } catch (error) {
      signal.throwIfAborted();
      report.fail(name, error);
    }
  }

  async load(root: Pick<Root, 'digest' | 'mediaType'>): Promise<Document> {
    this.options.signal.throwIfAborted();
    return readDocument(await this.source.manifest(root), root.digest);
  }

  private async isThere({ tag }: Root, { digest }: Document): Promise<boolean> {
    if (tag === undefined) return this.target.hasManifest(digest);
    return (await this.target.resolve(tag))?.equals(digest) === true;
  }

  private async choose(document: Document): Promise<Document> {
    return choosePlatforms(document, this.options.platforms, (entry) => this.load(entry));
  }

  private async copyWithReferrers(root: Document, name: string): Promise<void> {
    const reached = new Map<string, Digest>();
    await this.copyTree(root, reached, name, 0);
    // Whatever refers to a manifest of the image, and so on: the map grows while it is walked.
    for (const digest of reached.values()) {
      for (const referrer of (await this.source.referrers?.(digest)) ?? []) {
        if (reached.has(referrer.digest.toString())) continue;
        const document = await this.load(referrer);
        await this.copyTree(document, reached, name, 0);
        await this.nameReferrer(referrer, document);
      }
    }
  }

  /** Images that share a manifest share what refers to it. */
  private async nameReferrer({ tag }: Root, document: Document): Promise<void> {
    const key = `${tag ?? ''}@${document.digest.toString()}`;
    if (this.referrers.has(key)) return;
    this.referrers.add(key);
    await this.target.putTag(tag, document);
    this.options.report.countReferrer();
  }

  /** @param reached gets the digests of all manifests of the image. */
  private async copyTree(document: Document, reached: Map<string, Digest>, name: string, depth: number): Promise<void> {
    if (depth > maxDepth) throw new MoveError(`more than ${maxDepth} nested indexes`);
    const key = document.digest.toString();
    if (reached.has(key)) return;
    if (reached.size >= maxManifests) throw new MoveError(`more than ${maxManifests} manifests belong to it`);
    reached.set(key, document.digest);
    // A tree is copied once; what its manifests are has to be known again for their referrers.
    for (const entry of document.children) await this.copyChild(entry, reached, name, depth);
    const copying = this.trees.get(key) ?? this.copyManifest(document, name);
    this.trees.set(key, copying);
    await copying;
  }

  private async copyChild(entry: Entry, reached: Map<string, Digest>, name: string, depth: number): Promise<void> {
    if (reached.has(entry.digest.toString())) return;
    const { digest, size } = entry;
    const document = await this.loadChild(entry);
    if (size !== undefined && size !== document.body.length)
      throw new MoveError(`manifest ${digest.toString()} has ${document.body.length} bytes instead of ${size}`);
    await this.copyTree(document, reached, name, depth + 1);
  }

  /** What `docker save` writes may list platforms that the machine did not have. */
  private async loadChild(entry: Entry): Promise<Document> {
    try {
      return await this.load(entry);
    } catch (error) {
      const isMissing = error instanceof MoveError && error.message.endsWith('is missing') && entry.platform;
      throw isMissing ? new MoveError(`${error.message}: take the platforms that are there with --platform`) : error;
    }
  }

  private async copyManifest(document: Document, name: string): Promise<void> {
    if (await this.target.hasManifest(document.digest)) return;
    this.options.report.expect(document);
    await eachOf(document.blobs, concurrentBlobs, (entry) => this.copyBlob(entry, name));
    await this.target.putManifest(document);
  }

  private copyBlob(entry: Entry, name: string): Promise<void> {
    const key = entry.digest.toString();
    const copying = this.blobs.get(key) ?? this.slots.run(() => this.moveBlob(entry, name));
    this.blobs.set(key, copying);
    return copying;
  }

  private async moveBlob(entry: Entry, name: string): Promise<void> {
    const { report, signal } = this.options;
    signal.throwIfAborted();
    const { digest } = entry;
    if (await this.target.hasBlob(digest)) {
      report.skipBlob(entry.size ?? 0, name);
      return;
    }
    const size = await this.source.sizeOf(entry);
    if (size === undefined) throw new MoveError(`blob ${digest.toString()} is missing`);
    if (entry.size !== undefined && entry.size !== size)
      throw new MoveError(`blob ${digest.toString()} has ${size} bytes instead of ${entry.size}`);
    const open = (offset: number) => counted(this.source.blob(digest, offset), report, name, signal);
    await this.target.putBlob({ digest, size, mountFrom: this.source.mountFrom, open });
    report.takeBlob(size, name);
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  report: MoveReport,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    report.advance(chunk.length, name);
    yield chunk;
  }
}
