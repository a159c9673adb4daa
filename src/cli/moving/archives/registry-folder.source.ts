import { Digest } from '../../../oci/digest.js';
import { maxManifestBytes } from '../../../oci/manifest.js';
import { nameComponent } from '../../../oci/namespace.js';
import { matchesPath, matchesPattern } from '../../../oci/patterns/pattern.js';
import type { BrokenRoot, Collection, Root, Source } from '../content.js';
import type { RawManifest } from '../documents.js';
import { MoveError } from '../move-error.js';
import { readFileOf, type Folder } from './files.js';

const maxDepth = 64;
const maxLinkBytes = 1_024;
const algorithms = ['sha256', 'sha512'];

/** Where the storage may begin below the folder that is given: `rootdirectory` of the registry's configuration, or inside. */
const beginnings = ['docker/registry/v2', 'registry/v2', 'v2', '.'];

/** Finds the storage of CNCF Distribution (`registry` 2 and 3) in a folder. */
export async function findRegistryFolder(folder: Folder): Promise<string | undefined> {
  for (const path of beginnings) {
    const isThere = (await folder.hasFolder(`${path}/repositories`)) && (await folder.hasFolder(`${path}/blobs`));
    if (isThere) return path;
  }
  return undefined;
}

/** The storage folder of `registry`, which may go on serving while it is read. */
export class RegistryFolderSource implements Source {
  /**
   * @param path of the storage in the folder.
   * @param names patterns of the repositories to take, and `tags` of their tags; all without any.
   */
  constructor(
    private readonly folder: Folder,
    private readonly path: string,
    private readonly names: readonly string[],
    private readonly tags: readonly string[],
  ) {}

  async *collections(): AsyncGenerator<Collection> {
    for await (const name of this.repositoriesBelow('', 0)) {
      const isChosen = this.names.length === 0 || this.names.some((pattern) => matchesPath(pattern, name));
      if (isChosen) yield new RegistryFolder(this.folder, this.path, name, this.tags);
    }
  }

  close(): Promise<void> {
    return this.folder.close();
  }

  private async *repositoriesBelow(parent: string, depth: number): AsyncGenerator<string> {
    if (depth > maxDepth) throw new MoveError(`repositories are nested deeper than ${maxDepth} folders`);
    for (const part of await this.folder.list(`${this.path}/repositories/${parent}`)) {
      if (!nameComponent.test(part)) continue;
      const name = parent === '' ? part : `${parent}/${part}`;
      const path = `${this.path}/repositories/${name}`;
      if (await this.folder.hasFolder(`${path}/_manifests`)) yield name;
      yield* this.repositoriesBelow(name, depth + 1);
    }
  }
}

class RegistryFolder implements Collection {
  private readonly base: string;

  constructor(
    private readonly folder: Folder,
    private readonly path: string,
    readonly name: string,
    private readonly patterns: readonly string[],
  ) {
    this.base = `${path}/repositories/${name}`;
  }

  async *roots(): AsyncGenerator<Root | BrokenRoot> {
    const { patterns } = this;
    const tagged = new Set<string>();
    for (const tag of await this.folder.list(`${this.base}/_manifests/tags`)) {
      if (patterns.length > 0 && !patterns.some((pattern) => matchesPattern(pattern, tag))) continue;
      const digest = await this.link(`_manifests/tags/${tag}/current/link`);
      if (digest) yield { digest, tag };
      else yield { tag, reason: 'its link is missing or damaged' };
      if (digest) tagged.add(digest.toString());
    }
    for (const algorithm of algorithms) {
      for (const hex of await this.folder.list(`${this.base}/_manifests/revisions/${algorithm}`)) {
        const digest = Digest.find(`${algorithm}:${hex}`);
        if (!digest || tagged.has(digest.toString()) || !(await this.hasRevision(digest))) continue;
        yield { digest, isOptional: patterns.length > 0 };
      }
    }
  }

  async manifest({ digest, mediaType }: Pick<Root, 'digest' | 'mediaType'>): Promise<RawManifest> {
    if (!(await this.hasRevision(digest)))
      throw new MoveError(`manifest ${digest.toString()} has no link in the repository: it was deleted`);
    const name = this.contentOf(digest);
    if ((await this.folder.sizeOf(name)) === undefined) throw new MoveError(`manifest ${digest.toString()} is missing`);
    return { body: await readFileOf(this.folder, name, maxManifestBytes), mediaType };
  }

  /** What has no link in the repository is not part of it, as for the registry itself. */
  async sizeOf({ digest }: { readonly digest: Digest }): Promise<number | undefined> {
    const link = await this.link(`_layers/${digest.algorithm}/${digest.hex}/link`);
    return link?.equals(digest) === true ? this.folder.sizeOf(this.contentOf(digest)) : undefined;
  }

  blob(digest: Digest, offset: number): AsyncIterable<Uint8Array> {
    return this.folder.read(this.contentOf(digest), offset);
  }

  private async hasRevision(digest: Digest): Promise<boolean> {
    const link = await this.link(`_manifests/revisions/${digest.algorithm}/${digest.hex}/link`);
    return link?.equals(digest) === true;
  }

  private async link(name: string): Promise<Digest | undefined> {
    const path = `${this.base}/${name}`;
    if ((await this.folder.sizeOf(path)) === undefined) return undefined;
    return Digest.find((await readFileOf(this.folder, path, maxLinkBytes)).toString('latin1').trim());
  }

  private contentOf({ algorithm, hex }: Digest): string {
    return `${this.path}/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
  }
}
