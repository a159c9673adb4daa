import type { FixtureBlob, FixtureContent, FixtureManifest } from '../../fixtures/images.js';

interface Repository {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, FixtureManifest>;
  readonly tags: Map<string, string>;
}

export interface Referrer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType: string;
}

/** What the registry holds, per repository. */
export class RegistryContent {
  readonly #repositories = new Map<string, Repository>();

  addBlob(repository: string, blob: FixtureBlob): void {
    this.#open(repository).blobs.set(blob.digest, blob.body);
  }

  addManifest(repository: string, manifest: FixtureManifest): void {
    this.#open(repository).manifests.set(manifest.digest, manifest);
  }

  /** Adds an image with its config and layers, or an index with everything below it. */
  addImage(repository: string, image: FixtureContent, tags: readonly string[] = []): void {
    this.addManifest(repository, image.manifest);
    if ('layers' in image) for (const blob of [image.config, ...image.layers]) this.addBlob(repository, blob);
    if ('children' in image) for (const child of image.children) this.addImage(repository, child);
    for (const tag of tags) this.setTag(repository, tag, image.manifest.digest);
  }

  setTag(repository: string, tag: string, digest: string): void {
    this.#open(repository).tags.set(tag, digest);
  }

  deleteTag(repository: string, tag: string): void {
    this.#repositories.get(repository)?.tags.delete(tag);
  }

  deleteManifest(repository: string, digest: string): void {
    this.#repositories.get(repository)?.manifests.delete(digest);
  }

  deleteBlob(repository: string, digest: string): void {
    this.#repositories.get(repository)?.blobs.delete(digest);
  }

  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  findBlob(repository: string, digest: string): Buffer | undefined {
    return this.#repositories.get(repository)?.blobs.get(digest);
  }

  /** @param reference a tag or a digest. */
  findManifest(repository: string, reference: string): FixtureManifest | undefined {
    const { manifests, tags } = this.#repositories.get(repository) ?? {};
    return manifests?.get(tags?.get(reference) ?? reference);
  }

  /** In lexical order. */
  listTags(repository: string): string[] {
    return [...(this.#repositories.get(repository)?.tags.keys() ?? [])].sort();
  }

  listReferrers(repository: string, subject: string): Referrer[] {
    const manifests = [...(this.#repositories.get(repository)?.manifests.values() ?? [])];
    return manifests.flatMap(({ digest, mediaType, body }) => {
      const document = JSON.parse(body.toString()) as { subject?: { digest?: string }; artifactType?: string };
      if (document.subject?.digest !== subject) return [];
      return [{ mediaType, digest, size: body.length, artifactType: document.artifactType ?? '' }];
    });
  }

  #open(name: string): Repository {
    const repository = this.#repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, repository);
    return repository;
  }
}
