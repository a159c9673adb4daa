import type { RegistryClientSettings } from '../../config/registry-client.settings.js';
import type { Platform } from '../../oci/platform.js';
import { StartError } from '../start-error.js';
import { isBroken, type Collection, type Root } from './content.js';
import { Copier } from './copier.js';
import { parseImageName, printable, type ImageName } from './image-name.js';
import { interruptible } from './interruption.js';
import { MoveError } from './move-error.js';
import { MoveReport } from './move.report.js';
import { authorizationFor } from './registries/credentials.js';
import { Connection } from './registries/connection.js';
import { RegistrySource } from './registries/registry.source.js';
import { RegistryTarget } from './registries/registry.target.js';
import { eachOf } from './each-of.js';
import { openSource, type OpenedSource } from './sources.js';

/** Images that are moved at the same time. */
const concurrentImages = 3;
/** Referrers of referrers, and so on. */
const maxRounds = 8;
const maxRoots = 1_000_000;
/** Names that a message has. */
const maxListed = 8;

export interface ImportOptions {
  /** Folders and files. */
  readonly sources: readonly string[];
  /** Images that the server serves from other registries. */
  readonly from: readonly string[];
  readonly destination: string;
  readonly repositories: readonly string[];
  readonly tags: readonly string[];
  readonly platforms: readonly Platform[];
}

/** Where images go: one repository, or below a prefix under their own names. */
interface Destination {
  readonly path: string;
  readonly tag: string | undefined;
  readonly isPrefix: boolean;
}

/** @returns 0 when everything is there, 1 when something was refused or failed. @throws StartError */
export function importImages(settings: RegistryClientSettings, options: ImportOptions): Promise<number> {
  const destination = parseDestination(options.destination);
  const images = options.from.map(parseImageName);
  return interruptible(async (signal) => {
    const connection = new Connection(settings.server, authorizationFor(settings), signal);
    const report = new MoveReport(settings.json);
    try {
      await connection.check();
      const importer = new Importer(connection, destination, options, report, signal);
      for (const image of images) await importer.takeFrom(image);
      for (const path of options.sources) await importer.take(path);
      return report.isWhole ? 0 : 1;
    } finally {
      report.end();
      connection.close();
    }
  });
}

class Importer {
  constructor(
    private readonly connection: Connection,
    private readonly destination: Destination,
    private readonly options: ImportOptions,
    private readonly report: MoveReport,
    private readonly signal: AbortSignal,
  ) {}

  async takeFrom(image: ImageName): Promise<void> {
    const source = new RegistrySource(this.connection, image, this.options.tags);
    await this.takeAll(image.path, { source, keepsNames: false });
  }

  async take(path: string): Promise<void> {
    try {
      const choice = { ...this.options, isRenamed: this.destination.tag !== undefined };
      await this.takeAll(path, await openSource(path, choice, this.signal));
    } catch (error) {
      this.signal.throwIfAborted();
      this.report.fail(path, error);
    }
  }

  private async takeAll(name: string, { source, keepsNames }: OpenedSource): Promise<void> {
    const before = this.report.count;
    try {
      const isOne = !keepsNames && !this.destination.isPrefix;
      for await (const collection of isOne ? await onlyOf(source.collections()) : source.collections())
        await this.takeCollection(collection, this.targetOf(collection, keepsNames));
      if (this.report.count === before) throw new MoveError('it has no image that was asked for');
    } catch (error) {
      this.signal.throwIfAborted();
      this.report.fail(name, error);
    } finally {
      await source.close();
    }
  }

  private targetOf({ name }: Collection, keepsNames: boolean): RegistryTarget {
    const { path, isPrefix } = this.destination;
    if (!isPrefix && !keepsNames) return new RegistryTarget(this.connection, path);
    if (this.destination.tag !== undefined) throw new MoveError('many repositories cannot have one tag');
    if (name === undefined) throw new MoveError(`its image has no name: give a repository instead of ${path}/`);
    return new RegistryTarget(this.connection, `${path}/${name}`);
  }

  private async takeCollection(collection: Collection, target: RegistryTarget): Promise<void> {
    await target.check();
    const { platforms } = this.options;
    const copier = new Copier(collection, target, { platforms, report: this.report, signal: this.signal });
    const roots = await this.rootsOf(collection, target, copier);
    await eachOf(
      roots.filter(({ tag }) => tag !== undefined),
      concurrentImages,
      (root) => copier.copy(root),
    );
    const others = roots.filter(({ tag }) => tag === undefined);
    for (const root of others.filter(({ isOptional }) => isOptional !== true))
      if (!copier.has(root.digest)) await copier.copy(root);
    await this.takeOptional(
      copier,
      others.filter(({ isOptional }) => isOptional === true),
    );
  }

  private async rootsOf(collection: Collection, { name }: RegistryTarget, copier: Copier): Promise<Root[]> {
    const roots: Root[] = [];
    for await (const root of collection.roots()) {
      if (roots.length >= maxRoots) throw new MoveError(`more than ${maxRoots} images`);
      if (isBroken(root)) this.report.fail(`${name}:${root.tag}`, new MoveError(root.reason));
      else roots.push(root);
    }
    const { tag } = this.destination;
    return tag === undefined ? roots : this.renamed(roots, tag, copier);
  }

  /** The one image gets the tag; what has none may belong to it. @throws MoveError when there are several */
  private async renamed(roots: readonly Root[], tag: string, copier: Copier): Promise<Root[]> {
    const tagged = roots.filter((root) => root.tag !== undefined);
    const others = roots.filter((root) => root.tag === undefined);
    const candidates = tagged.length > 0 ? tagged : [];
    if (tagged.length === 0) for (const root of others) if (!(await copier.load(root)).subject) candidates.push(root);
    const [image] = candidates;
    if (!image || new Set(candidates.map(({ digest }) => digest.toString())).size > 1) {
      const names = candidates.map((root) => printable(root.tag ?? root.digest.toString()));
      throw new MoveError(
        image ? `it has several images (${listed(names)}): choose one with --tag` : 'it has no image',
      );
    }
    const rest = others.filter(({ digest }) => !digest.equals(image.digest));
    return [{ ...image, tag, isOptional: false }, ...rest.map((root) => ({ ...root, isOptional: true }))];
  }

  /** Takes what refers to something that was taken, until nothing more does. */
  private async takeOptional(copier: Copier, roots: readonly Root[]): Promise<void> {
    let waiting: Root[] = [...roots];
    for (let round = 0; round < maxRounds && waiting.length > 0; round += 1) {
      const later: Root[] = [];
      for (const root of waiting) {
        const { subject } = await copier.load(root);
        if (subject && copier.has(subject)) await copier.copy(root);
        else later.push(root);
      }
      if (later.length === waiting.length) return;
      waiting = later;
    }
  }
}

/** @throws MoveError when there are several, before anything of them is written */
async function onlyOf(all: AsyncIterable<Collection> | Iterable<Collection>): Promise<Collection[]> {
  const found: Collection[] = [];
  for await (const collection of all) found.push(collection);
  if (found.length <= 1) return found;
  const names = found.map(({ name }) => name ?? 'one without a name');
  throw new MoveError(`it has several repositories (${listed(names)}): ${severalHint}`);
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, maxListed).join(', ')}${names.length > maxListed ? ', …' : ''}`;
}

const severalHint = 'end the destination with / to keep their names, or choose one with --tag';

/** `namespace/repository[:tag]`; a namespace alone, or what ends with `/`, is a prefix. @throws StartError */
function parseDestination(text: string): Destination {
  const isPrefix = text.endsWith('/') || !text.includes('/');
  const { path, tag, digest } = parseImageName(text.replace(/\/$/, ''));
  if (digest)
    throw new StartError('the destination is a repository with or without a tag: digests come from the source');
  if (isPrefix && tag !== undefined) throw new StartError('the destination must be NAMESPACE/REPOSITORY[:TAG]');
  return { path, tag, isPrefix };
}
