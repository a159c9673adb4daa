import type { IncomingMessage } from 'node:http';
import { Digest } from '../../../oci/digest.js';
import { readJson } from '../../../oci/json/json.js';
import { parseNextLink } from '../../../oci/link.js';
import { isObject, maxManifestBytes } from '../../../oci/manifest.js';
import { acceptManifests } from '../../../oci/media-type.js';
import { Namespace } from '../../../oci/namespace.js';
import { matchesPattern } from '../../../oci/patterns/pattern.js';
import type { BrokenRoot, Collection, Root, Source } from '../content.js';
import { entriesOf, type Entry, type RawManifest } from '../documents.js';
import { MoveError } from '../move-error.js';
import type { ImageName } from '../image-name.js';
import { chunksOf, ConnectionError, readAll, type Connection } from './connection.js';

const maxTags = 1_000_000;
const maxPageBytes = 16 * 1024 * 1024;
const maxRedirects = 5;
const maxAttempts = 6;
/** Tags that name what belongs to a manifest: the fallback of the specification, and those of cosign. */
const companionTag = /^sha256-([0-9a-f]{64})(?:\.[a-z]+)?$/;

/** A repository that the server serves, mirrored or hosted. */
export class RegistrySource implements Source, Collection {
  readonly name: string;
  readonly mountFrom: string;
  private readonly path: string;
  private tags: Promise<readonly string[]> | undefined;

  /** @param patterns of the tags to take, where the name has neither tag nor digest. */
  constructor(
    private readonly connection: Connection,
    private readonly image: ImageName,
    private readonly patterns: readonly string[],
  ) {
    this.name = withoutRegistry(image.path);
    this.mountFrom = image.path;
    this.path = `/v2/${image.path}`;
  }

  *collections(): Iterable<Collection> {
    yield this;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async *roots(): AsyncGenerator<Root | BrokenRoot> {
    const { tag, digest } = this.image;
    if (digest) yield { digest, tag };
    else for (const each of tag === undefined ? await this.chosenTags() : [tag]) yield await this.foundOf(each);
  }

  async manifest({ digest }: Pick<Root, 'digest'>): Promise<RawManifest> {
    const response = await this.get(`manifests/${digest.toString()}`, [404]);
    if (response.statusCode === 404) {
      response.resume();
      throw new MoveError(`manifest ${digest.toString()} is missing`);
    }
    return { body: await readAll(response, maxManifestBytes), mediaType: response.headers['content-type'] };
  }

  async sizeOf({ digest, size }: Pick<Entry, 'digest' | 'size'>): Promise<number | undefined> {
    if (size !== undefined) return size;
    const response = await this.connection.call('HEAD', `${this.path}/blobs/${digest.toString()}`, { expected: [404] });
    const length = response.headers['content-length'];
    return response.statusCode === 200 && length !== undefined ? Number(length) : undefined;
  }

  /** Goes on after a cut. */
  async *blob(digest: Digest, first: number): AsyncGenerator<Uint8Array> {
    let offset = first;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const chunk of this.bytesFrom(digest, offset)) {
          offset += chunk.length;
          attempt = 1;
          yield chunk;
        }
        return;
      } catch (error) {
        this.connection.signal.throwIfAborted();
        if (attempt >= maxAttempts || !(error instanceof ConnectionError)) throw error;
        await this.connection.pause(attempt);
      }
    }
  }

  async referrers(digest: Digest): Promise<readonly Root[]> {
    const listed = await this.listedReferrers(digest);
    const tags = await this.companionTags(digest);
    const tagged: Root[] = [];
    for (const tag of tags) tagged.push(await this.rootOf(tag));
    return [...listed, ...tagged];
  }

  private async listedReferrers(digest: Digest): Promise<Root[]> {
    const found: Root[] = [];
    for (let path: string | undefined = `${this.path}/referrers/${digest.toString()}`; path !== undefined;) {
      const response: IncomingMessage = await this.connection.request('GET', path, { expected: [404] });
      if (response.statusCode === 404) {
        response.resume();
        break;
      }
      const body = await readAll(response, maxPageBytes);
      const document = readJson(body, { fields: { manifests: { items: referrerShape, max: maxTags } } });
      const manifests = isObject(document) ? entriesOf(document.manifests) : [];
      found.push(...manifests.map(({ digest: each, mediaType }) => ({ digest: each, mediaType })));
      path = nextPage(response, path);
    }
    return found;
  }

  /** Where all tags are taken, these are among them. */
  private async companionTags(digest: Digest): Promise<string[]> {
    const isAll = this.image.tag === undefined && !this.image.digest && this.patterns.length === 0;
    if (isAll || digest.algorithm !== 'sha256') return [];
    const tags = await this.allTags().catch((error: unknown) => {
      if (error instanceof MoveError) return [];
      throw error;
    });
    return tags.filter((tag) => companionTag.exec(tag)?.[1] === digest.hex);
  }

  /** A tag may have gone since it was listed. */
  private async foundOf(tag: string): Promise<Root | BrokenRoot> {
    try {
      return await this.rootOf(tag);
    } catch (error) {
      if (error instanceof MoveError) return { tag, reason: error.message };
      throw error;
    }
  }

  private async rootOf(tag: string): Promise<Root> {
    const headers = { accept: acceptManifests };
    const path = `${this.path}/manifests/${tag}`;
    const response = await this.connection.call('HEAD', path, { headers, expected: [404] });
    const digest = Digest.find(String(response.headers['docker-content-digest']));
    if (response.statusCode === 404 || !digest) throw new MoveError(`${this.mountFrom}:${tag} does not exist`);
    return { digest, tag };
  }

  private async chosenTags(): Promise<string[]> {
    const tags = await this.allTags();
    const { patterns } = this;
    return patterns.length === 0 ? [...tags] : tags.filter((tag) => patterns.some((each) => matchesPattern(each, tag)));
  }

  private allTags(): Promise<readonly string[]> {
    return (this.tags ??= this.listTags());
  }

  private async listTags(): Promise<string[]> {
    const tags = new Set<string>();
    for (let path: string | undefined = `${this.path}/tags/list?n=1000`; path !== undefined;) {
      const response: IncomingMessage = await this.connection.request('GET', path);
      const body = await readAll(response, maxPageBytes);
      const page = readJson(body, { fields: { tags: { items: 'value', max: maxTags } } });
      const listed = isObject(page) && Array.isArray(page.tags) ? (page.tags as unknown[]) : [];
      for (const tag of listed) if (typeof tag === 'string') tags.add(tag);
      if (tags.size > maxTags) throw new MoveError(`${this.mountFrom} has more than ${maxTags} tags`);
      path = nextPage(response, path);
    }
    return [...tags];
  }

  private get(path: string, expected: readonly number[] = []): Promise<IncomingMessage> {
    return this.connection.request('GET', `${this.path}/${path}`, { headers: { accept: acceptManifests }, expected });
  }

  private async *bytesFrom(digest: Digest, offset: number): AsyncGenerator<Uint8Array> {
    const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
    let path = `${this.path}/blobs/${digest.toString()}`;
    for (let hop = 0; hop < maxRedirects; hop += 1) {
      const response = await this.connection.request('GET', path, { headers });
      const { statusCode: status = 0, headers: sent } = response;
      if (status < 300) {
        if (offset > 0 && status !== 206) throw new MoveError('the server does not resume downloads');
        yield* chunksOf(response);
        return;
      }
      response.resume();
      path = String(sent.location);
    }
    throw new MoveError('too many redirects');
  }
}

const referrerShape = { fields: { mediaType: 'value', digest: 'value', size: 'value' } } as const;

function withoutRegistry(path: string): string {
  const slash = path.indexOf('/');
  return slash !== -1 && Namespace.looksLikeHost(path.slice(0, slash)) ? path.slice(slash + 1) : path;
}

function nextPage(response: IncomingMessage, path: string): string | undefined {
  const next = parseNextLink(String(response.headers.link ?? ''));
  if (next === undefined) return undefined;
  const { pathname, search } = new URL(next, `http://server${path}`);
  return `${pathname}${search}`;
}
