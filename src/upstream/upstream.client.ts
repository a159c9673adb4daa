import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { Clock } from '../config/clock/clock.js';
import { BodyMemory, type Hold } from '../config/memory/body.memory.js';
import { Digest } from '../oci/digest.js';
import { ManifestError, maxManifestBytes, parseManifest, type Manifest } from '../oci/manifest.js';
import { acceptManifests, isManifestMediaType, manifestMediaTypes, parseMediaType } from '../oci/media-type.js';
import { parseNextLink } from '../oci/link.js';
import type { Reference } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { Resolver } from './transport/resolver.js';
import { Agents } from './transport/agents.js';
import { findBlobBody, findRange, hintedLength, type BlobBody, type RangeBody } from './transport/blob.body.js';
import { Dispatcher, type DispatchedResponse } from './health/dispatcher.js';
import { inspectUpstream, type UpstreamInspection } from './health/inspection.js';
import { HeadSupport, type HeadTarget } from './health/head.support.js';
import { discardBody, receiveBody, type HeldBody } from './transport/body.js';
import { receiveAny, type LongBody } from './transport/long.body.js';
import { RegistrySession } from './sign-in/registry.session.js';
import { parseRetryAfter } from '../config/transport/retry-after.js';
import { TokenService, type TokenCounts, type TokenFetcher } from './sign-in/token.service.js';
import { errorOfStatus, HeadRefusedError, UpstreamError } from './upstream-error.js';
import type { RequestKind } from './health/upstream.health.js';
import { stateOf, type UpstreamState } from './health/upstream.state.js';
import type { Upstream } from './upstream.js';
import type { ListPage } from './lists/list.page.js';
import { smallerPage, TagPages } from './lists/tag.pages.js';
import { UpstreamsService } from './upstreams.service.js';

/** Bytes of a tag list or a referrers index that is held whole. */
const maxListBytes = 4 * 1024 * 1024;

/** Which fallback host responded; undefined for the upstream's own host. */
export interface Sourced {
  readonly fallback: string | undefined;
}

/** Headers of a HEAD of a manifest: hints, since no digest verifies them. Registries differ in which they omit. */
export interface ManifestHead extends Sourced {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}

/** A manifest, and the room that it has in memory. Whoever has it hands the hold over or releases it. */
export interface HeldManifest extends Manifest, Sourced {
  readonly hold: Hold;
}

/** What an upstream states about a blob: a hint, since no digest verifies it. */
export interface BlobClaim {
  readonly digest: Digest | undefined;
  /** Bytes; never 0. */
  readonly size: number | undefined;
}

/** Client for the endpoints of the distribution specification. Requests go to the upstream of the repository's namespace. */
@Injectable()
export class UpstreamClient implements OnApplicationShutdown {
  private readonly agents: Agents;
  private readonly session: RegistrySession;
  private readonly tokens: TokenService;
  private readonly dispatcher: Dispatcher;
  private readonly heads: HeadSupport;
  private readonly pages: TagPages;

  constructor(
    private readonly upstreams: UpstreamsService,
    @Inject(Resolver) resolver: Resolver,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(BodyMemory) private readonly memory: BodyMemory,
  ) {
    this.agents = new Agents(resolver);
    const send: TokenFetcher = (upstream, url, headers, form) =>
      this.session.send(upstream, url, headers, false, form === undefined ? 'GET' : 'POST', form);
    this.tokens = new TokenService(send, clock, memory);
    this.session = new RegistrySession(this.agents, this.tokens);
    this.dispatcher = new Dispatcher(this.session, clock);
    this.heads = new HeadSupport(clock);
    this.pages = new TagPages(clock);
  }

  /** @throws HeadRefusedError when only a GET can tell. */
  async headManifest(repository: RepositoryRef, reference: Reference): Promise<ManifestHead> {
    const path = `manifests/${reference.toString()}`;
    const response = await this.head('manifests', repository, path, { accept: acceptManifests });
    const mediaType = parseMediaType(response.headers['content-type']);
    return {
      digest: digestOf(response.headers),
      mediaType: mediaType !== undefined && isManifestMediaType(mediaType) ? mediaType : undefined,
      size: hintedLength(response.headers),
      fallback: response.fallback,
    };
  }

  /** Returns a manifest, verified against the digest if one is known. */
  async getManifest(repository: RepositoryRef, reference: Reference): Promise<HeldManifest> {
    const path = `manifests/${reference.toString()}`;
    const response = await this.request('manifest-get', repository, path, { accept: acceptManifests });
    this.noteFetched('manifests', repository, path, response);
    if (response.status !== 200) throw this.refuse(response);
    const { content, hold } = await this.receive(repository, response, maxManifestBytes);
    const stated = digestOf(response.headers);
    const expected = reference instanceof Digest ? reference : stated;
    try {
      const algorithm = expected?.algorithm ?? 'sha256';
      const manifest = parseManifest(content, response.headers['content-type'], algorithm, expected);
      if (expected && !manifest.digest.equals(expected)) throw new ManifestError('it does not match its digest');
      return { ...manifest, fallback: response.fallback, hold };
    } catch (error) {
      hold.release();
      if (!(error instanceof ManifestError)) throw error;
      throw new UpstreamError('wrong', `${response.host} sent an invalid manifest: ${error.message}`);
    }
  }

  /** Confirms that the repository has the blob, and returns what the upstream states about it. */
  async headBlob(repository: RepositoryRef, digest: Digest): Promise<BlobClaim> {
    const path = `blobs/${digest.toString()}`;
    try {
      const { headers } = await this.head('blobs', repository, path, {});
      return { size: hintedLength(headers), digest: digestOf(headers) };
    } catch (error) {
      // Signed download URLs only allow GET, and some registries refuse every HEAD of a blob (upstreams.md).
      if (!(error instanceof HeadRefusedError)) throw error;
    }
    return { size: await this.openFirstByte(repository, digest), digest: undefined };
  }

  /** The size, if it is stated, of a blob that the upstream has. @throws UpstreamError */
  private async openFirstByte(repository: RepositoryRef, digest: Digest): Promise<number | undefined> {
    const { size, body } = await this.openBlob(repository, digest, { offset: 0, last: 0 }).catch((error: unknown) => {
      // It takes no such range, or does not have the blob.
      if (error instanceof UpstreamError && error.kind === 'wrong') return this.openBlob(repository, digest);
      throw error;
    });
    discardBody(body, body.headers['content-length']);
    return size === 0 ? undefined : size;
  }

  /** The size by GET, of one byte where the registry takes ranges; undefined when it does not state the size. */
  async findBlobSize(repository: RepositoryRef, digest: Digest): Promise<number | undefined> {
    try {
      return await this.openFirstByte(repository, digest);
    } catch (error) {
      // Whether it has the blob is for a download to find out.
      if (error instanceof UpstreamError && error.kind === 'wrong') return undefined;
      throw error;
    }
  }

  /**
   * @param from where to resume, and the entity tag of the bytes before; `last` is the last byte that is wanted.
   * @param upstream that the download began with.
   */
  async openBlob(
    repository: RepositoryRef,
    digest: Digest,
    from?: { offset: number; last?: number; entityTag?: string | undefined },
    upstream = this.upstreams.get(repository.namespace),
  ): Promise<BlobBody> {
    const headers: Record<string, string> = {};
    if (from) headers.range = `bytes=${from.offset}-${from.last ?? ''}`;
    if (from?.entityTag !== undefined) headers['if-range'] = from.entityTag;
    const path = `blobs/${digest.toString()}`;
    const response = await this.request('blob', repository, path, headers, upstream);
    this.noteFetched('blobs', repository, path, response, upstream);
    const body = findBlobBody(response, from?.offset);
    if (!body) throw this.refuse(response);
    const { counts } = upstream;
    return { ...body, counts, entityTag: entityTagOf(response.headers) };
  }

  /**
   * One range of a blob, which no digest verifies.
   * @param range value of the Range header. @param entityTag of the bytes before, when it continues
   * @returns undefined when the registry sends something else
   */
  async openRange(
    repository: RepositoryRef,
    digest: Digest,
    range: string,
    entityTag?: string,
  ): Promise<RangeBody | undefined> {
    const headers = { range, ...(entityTag !== undefined && { 'if-range': entityTag }) };
    const upstream = this.upstreams.get(repository.namespace);
    const response = await this.request('blob', repository, `blobs/${digest.toString()}`, headers, upstream);
    const { status, body, host } = response;
    const found = findRange(response, range);
    const { counts } = upstream;
    if (found) return { ...found, body, host, counts, entityTag: entityTagOf(response.headers) };
    if (status >= 400 && status !== 416) throw this.refuse(response);
    discardBody(body, response.headers['content-length']);
    return undefined;
  }

  /** A page of at most `n` tags, and of as many if there are. @param query of the client's request. */
  listTags(repository: RepositoryRef, query: URLSearchParams): Promise<ListPage> {
    const upstream = this.upstreams.get(repository.namespace);
    return this.pages.list(upstream, query, (each) => this.listTagsOnce(repository, each));
  }

  private async listTagsOnce(repository: RepositoryRef, query: URLSearchParams): Promise<ListPage> {
    const response = await this.request('tag-list', repository, withQuery('tags/list', query), {
      accept: 'application/json',
    });
    if (response.status !== 200) throw this.refuse(response);
    return {
      content: await this.receiveList(repository, response),
      next: parseNextLink(single(response.headers.link)),
    };
  }

  /**
   * @param query `artifactType` of the client's request.
   * @param isKnown whether the upstream has listed referrers before: an invalid 200 is then an error, not an absence.
   */
  async listReferrers(
    repository: RepositoryRef,
    digest: Digest,
    query: URLSearchParams,
    isKnown: boolean,
  ): Promise<ListPage & { readonly filters: string | undefined }> {
    const ask = (each: URLSearchParams) =>
      this.request('referrers', repository, withQuery(`referrers/${digest.toString()}`, each), {
        accept: manifestMediaTypes.ociIndex,
      });
    const first = await ask(query);
    const smaller = smallerPage(query, first.status);
    if (smaller) discardBody(first.body, first.headers['content-length']);
    const response = smaller ? await ask(smaller) : first;
    // Registries without the endpoint respond 404, 405 or otherwise; clients then use the tag schema (end-12a).
    if (response.status !== 200 || parseMediaType(response.headers['content-type']) !== manifestMediaTypes.ociIndex) {
      if (response.status === 401 || response.status === 403) throw this.refuse(response);
      response.body.destroy();
      const kind = isKnown && response.status === 200 ? 'wrong' : 'missing';
      throw new UpstreamError(kind, `${response.host} has no referrers list`);
    }
    return {
      content: await this.receiveList(repository, response),
      next: parseNextLink(single(response.headers.link)),
      filters: single(response.headers['oci-filters-applied']),
    };
  }

  onApplicationShutdown(): void {
    for (const { credentials, fallbacks } of this.upstreams.all)
      for (const each of [credentials, ...fallbacks.map((fallback) => fallback.credentials)]) each.stop();
    this.agents.close();
  }

  /** The upstream that a download begins with, and ends with when its settings change meanwhile. @throws UpstreamError */
  upstreamOf({ namespace }: RepositoryRef): Upstream {
    return this.upstreams.get(namespace);
  }

  /** Closes what upstreams have open that are out of use, except for what runs. */
  retire(upstreams: readonly Upstream[]): void {
    for (const each of upstreams.flatMap((upstream) => [upstream, ...upstream.fallbacks])) {
      this.agents.retire(each);
      each.credentials.close();
    }
  }

  /** Whether downloads wait for one of the connections that the upstream may have. */
  hasBlobsWaiting(upstream: Upstream): boolean {
    return this.dispatcher.healthOf(upstream).waitingBlobs > 0;
  }

  /** Whether a request recently waited too long, so that those with a cached response need not wait. */
  isSlow(repository: RepositoryRef): boolean {
    const upstream = this.upstreams.find(repository.namespace);
    return upstream !== undefined && this.dispatcher.healthOf(upstream).isSlow;
  }

  /** Records that a request has waited too long. */
  noteSlow(repository: RepositoryRef): void {
    const upstream = this.upstreams.find(repository.namespace);
    if (upstream) this.dispatcher.healthOf(upstream).noteSlow();
  }

  /** Whether the pull limit is known to be exhausted and there is no fallback, so that only uncounted requests are useful. */
  hasNoPullsLeft(repository: RepositoryRef): boolean {
    const upstream = this.upstreams.get(repository.namespace);
    return upstream.fallbacks.length === 0 && this.dispatcher.healthOf(upstream).rateLimit?.remaining === 0;
  }

  /** Health of the configured upstreams, in configuration order. */
  get states(): UpstreamState[] {
    const outcomeOf = (upstream: Upstream) => this.dispatcher.outcomeOf(upstream).last;
    return [...this.upstreams.all].map((upstream) => stateOf(upstream, this.dispatcher.healthOf(upstream), outcomeOf));
  }

  /** What a request about a manifest would meet now. Sends and changes nothing. @throws UpstreamError `refused` */
  inspect(repository: RepositoryRef, reference: string): UpstreamInspection {
    const upstream = this.upstreams.peek(repository.namespace);
    return inspectUpstream({ upstream, repository, reference }, this.dispatcher, this.heads);
  }

  get tokenCounts(): Readonly<TokenCounts> {
    return this.tokens.counts;
  }

  private async receive(repository: RepositoryRef, response: DispatchedResponse, limit: number): Promise<HeldBody> {
    const upstream = this.upstreams.get(repository.namespace);
    const held = await receiveBody(response, limit, this.memory, upstream.id);
    upstream.counts.received += held.content.length;
    return held;
  }

  private receiveList(repository: RepositoryRef, response: DispatchedResponse): Promise<HeldBody | LongBody> {
    const { id, counts } = this.upstreams.get(repository.namespace);
    return receiveAny(response, maxListBytes, this.memory, id, (bytes) => (counts.received += bytes));
  }

  /** A response with status 200. @throws UpstreamError; HeadRefusedError when only a GET can tell */
  private async head(
    target: HeadTarget,
    repository: RepositoryRef,
    path: string,
    headers: Record<string, string>,
  ): Promise<DispatchedResponse> {
    const upstream = this.upstreams.get(repository.namespace);
    if (this.heads.find(upstream, target) === false)
      throw new HeadRefusedError('wrong', `${upstream.base.host} does not support HEAD of ${target}`);
    const kind = target === 'manifests' ? 'manifest-head' : 'blob-head';
    const response = await this.request(kind, repository, path, headers);
    discardBody(response.body, '0');
    const { status, fallback } = response;
    if (status === 200) {
      if (fallback === undefined) this.heads.noteAccepted(upstream, target);
      return response;
    }
    const error = this.errorOf(response);
    if (!this.heads.noteRefused(upstream, target, `${repository.name}/${path}`, status)) throw error;
    throw new HeadRefusedError(error.kind, error.message, error.retryAfter, error.source);
  }

  /** What a GET says about an earlier HEAD. A fallback host tells nothing of the registry itself. */
  private noteFetched(
    target: HeadTarget,
    repository: RepositoryRef,
    path: string,
    { status, fallback }: DispatchedResponse,
    upstream = this.upstreams.find(repository.namespace),
  ): void {
    if (fallback !== undefined || !upstream) return;
    this.heads.noteFetched(upstream, target, `${repository.name}/${path}`, status < 300);
  }

  private request(
    kind: RequestKind,
    repository: RepositoryRef,
    path: string,
    headers: Record<string, string>,
    upstream = this.upstreams.get(repository.namespace),
  ): Promise<DispatchedResponse> {
    return this.dispatcher.send(kind, {
      upstream,
      repository: repository.name,
      method: kind === 'manifest-head' || kind === 'blob-head' ? 'HEAD' : 'GET',
      path,
      headers,
    });
  }

  private refuse(response: DispatchedResponse): UpstreamError {
    discardBody(response.body, response.headers['content-length']);
    return this.errorOf(response);
  }

  private errorOf({ status, headers, host }: DispatchedResponse): UpstreamError {
    return errorOfStatus(status, host, parseRetryAfter(headers['retry-after'], this.clock.now()));
  }
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

function digestOf(headers: IncomingHttpHeaders): Digest | undefined {
  return Digest.find(single(headers['docker-content-digest']) ?? '');
}

/** A strong entity tag. */
function entityTagOf({ etag }: IncomingHttpHeaders): string | undefined {
  return etag?.startsWith('"') === true ? etag : undefined;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
