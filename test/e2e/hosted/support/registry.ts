import { Digest } from '../../../../src/oci/digest.js';
import { OciError } from '../../../../src/oci/error.js';
import { manifestMediaTypes } from '../../../../src/oci/media-type.js';
import { parseReference, Tag } from '../../../../src/oci/reference.js';
import { RepositoryRef } from '../../../../src/oci/repository.js';
import type { HostedSettings } from '../../../../src/config/hosted/hosted.settings.js';
import type { BlobRequest } from '../../../../src/registry/blob.js';
import { BlobsService } from '../../../../src/registry/blobs.service.js';
import { CatalogService } from '../../../../src/registry/catalog.service.js';
import { ManifestsService } from '../../../../src/registry/manifests.service.js';
import type { TagPage } from '../../../../src/registry/list-page.js';
import type { PushBody, PushedManifest } from '../../../../src/registry/push.js';
import { ReferrersService } from '../../../../src/registry/referrers.service.js';
import { TagsService } from '../../../../src/registry/tags.service.js';
import { UploadsService } from '../../../../src/registry/uploads.service.js';
import { Mirror, type MirrorOptions } from '../../support/mirror.js';

export const app = RepositoryRef.parse('local/team/app');
export const digestOf = (content: Buffer | string, algorithm: 'sha256' | 'sha512' = 'sha256') =>
  Digest.of(Buffer.from(content), algorithm);
export const empty = Buffer.from('{}');

/** A body of these chunks. */
export function bodyOf(...chunks: (Buffer | string)[]): PushBody {
  const all = chunks.map((chunk) => Buffer.from(chunk));
  return {
    length: all.reduce((sum, { length }) => sum + length, 0),
    async *chunks() {
      for (const chunk of all) yield await Promise.resolve(chunk);
    },
  };
}

interface Fields {
  readonly [field: string]: unknown;
}

/** An image manifest of blobs. */
export function image(layers: readonly (Buffer | string)[] = [], fields: Fields = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaTypes.ociManifest,
      config: descriptor(empty, 'application/vnd.oci.empty.v1+json'),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
      ...fields,
    }),
  );
}

export function index(manifests: readonly Buffer[], fields: Fields = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaTypes.ociIndex,
      manifests: manifests.map((manifest) => descriptor(manifest, manifestMediaTypes.ociManifest)),
      ...fields,
    }),
  );
}

export function descriptor(content: Buffer | string, mediaType: string) {
  return { mediaType, digest: digestOf(content).toString(), size: Buffer.from(content).length };
}

/** Code and status of the error that an operation ends with. */
export async function refusal(operation: Promise<unknown>): Promise<string> {
  try {
    await operation;
  } catch (error) {
    if (error instanceof OciError) return `${error.status} ${error.code}`;
    throw error;
  }
  return 'none';
}

/** A server with a hosted namespace, used below its routes. */
export class HostedRegistry implements AsyncDisposable {
  private constructor(readonly mirror: Mirror) {}

  static async start(
    settings: Partial<HostedSettings> = {},
    { server, ...options }: MirrorOptions = {},
  ): Promise<HostedRegistry> {
    const mirror = await Mirror.start({
      hosted: [{ namespace: 'local', ...settings }],
      server: { allowAnonymousPush: true, unknownNamespaces: 'deny', ...server },
      ...options,
    });
    return new HostedRegistry(mirror);
  }

  get uploads() {
    return this.mirror.app.get(UploadsService);
  }
  get blobs() {
    return this.mirror.app.get(BlobsService);
  }
  get manifests() {
    return this.mirror.app.get(ManifestsService);
  }
  get tags() {
    return this.mirror.app.get(TagsService);
  }
  get referrers() {
    return this.mirror.app.get(ReferrersService);
  }
  get catalog() {
    return this.mirror.app.get(CatalogService);
  }

  async pushBlob(content: Buffer | string, repository = app): Promise<Digest> {
    const digest = digestOf(content);
    await this.uploads.single(repository, digest, bodyOf(content));
    return digest;
  }

  put(reference: string | Digest, body: Buffer, more: Partial<PushedManifest> = {}, repository = app) {
    const target = typeof reference === 'string' ? parseReference(reference) : reference;
    return this.manifests.put(repository, target, { body, tags: [], ...more });
  }

  /** Pushes an image with its blobs. */
  async pushImage(reference: string, layer = 'layer', fields: Fields = {}, repository = app): Promise<Buffer> {
    await this.pushBlob(empty, repository);
    await this.pushBlob(layer, repository);
    const body = image([layer], fields);
    await this.put(reference, body, {}, repository);
    return body;
  }

  get(reference: string | Digest, repository = app) {
    return this.manifests.get(repository, typeof reference === 'string' ? parseReference(reference) : reference);
  }

  async readBlob(digest: Digest, repository = app): Promise<Buffer> {
    const blob = await this.blobs.open(requestOf(repository, digest));
    const chunks: Buffer[] = [];
    try {
      await blob.copy({ offset: 0, length: blob.size ?? 0 }, (chunk) => {
        chunks.push(Buffer.from(chunk));
        return Promise.resolve();
      });
    } finally {
      await blob.close();
    }
    return Buffer.concat(chunks);
  }

  async listTags(query = '', repository = app): Promise<{ tags: string[]; next: string | undefined }> {
    const { body, next } = await this.tags.list(repository, new URLSearchParams(query));
    const { tags } = JSON.parse(textOf(body)) as { tags: string[] };
    return { tags, next: next?.toString() };
  }

  async listReferrers(digest: Digest, query = '', repository = app) {
    const page = await this.referrers.list(repository, digest, new URLSearchParams(query));
    const { manifests } = JSON.parse(textOf(page.body)) as {
      manifests: { digest: string; artifactType?: string; annotations?: object; mediaType: string; size: number }[];
    };
    return { manifests, next: page.next?.toString(), filters: page.filters };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
  }
}

export const tag = (name: string) => Tag.parse(name);

/** A client's request for all of a blob. */
export function requestOf(repository: RepositoryRef, digest: Digest): BlobRequest {
  return { repository, digest, requester: 'client', range: undefined };
}

/** Lists of hosted repositories are made here, whole. */
export function textOf(body: TagPage['body']): string {
  if (!(body instanceof Uint8Array)) throw new Error('the list is streamed');
  return Buffer.from(body).toString();
}
