import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../config/clock.js';
import { parseContentRange } from '../oci/byte-range.js';
import { Digest } from '../oci/digest.js';
import { ManifestError, maxManifestBytes, parseManifest, type Manifest } from '../oci/manifest.js';
import { acceptManifests, isManifestMediaType, manifestMediaTypes, parseMediaType } from '../oci/media-type.js';
import { parseNextLink } from '../oci/link.js';
import type { Reference } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import { Resolver } from './address.guard.js';
import { Agents } from './agents.js';
import { discardBody, readBody } from './body.js';
import { RegistrySession } from './registry.session.js';
import { parseRetryAfter } from './retry-after.js';
import { TokenService } from './token.service.js';
import type { Exchange } from './transport.js';
import { errorOfStatus, UpstreamError } from './upstream-error.js';
import { UpstreamsService } from './upstreams.service.js';

/** Bytes of a tag list or a referrers index. */
const maxListBytes = 4 * 1024 * 1024;

/** What a HEAD tells of a manifest. Registries differ in what they leave out. */
export interface ManifestHead {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}

/** A blob on its way. Whoever has it reads or destroys `body`. */
export interface BlobBody {
  /** Offset of the first byte of `body`: what was asked for, or 0 when the upstream ignored that. */
  readonly offset: number;
  /** Size of the whole blob in bytes, when the upstream said it. */
  readonly size: number | undefined;
  readonly entityTag: string | undefined;
  readonly body: IncomingMessage;
  readonly host: string;
}

export interface ListPage {
  readonly body: Buffer;
  /** Target of the upstream's link to the next page, as it wrote it. */
  readonly next: string | undefined;
}

/** The endpoints of the distribution specification, asked of the upstream of a repository's namespace. */
@Injectable()
export class UpstreamClient implements OnApplicationShutdown {
  private readonly agents: Agents;
  private readonly session: RegistrySession;

  constructor(
    private readonly upstreams: UpstreamsService,
    @Inject(Resolver) resolver: Resolver,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.agents = new Agents(resolver);
    const tokens = new TokenService(
      (upstream, url, headers) => this.session.send(upstream, url, headers, false),
      clock,
    );
    this.session = new RegistrySession(this.agents, tokens);
  }

  /** @param deadline milliseconds, for those who have something older to answer with. */
  async headManifest(repository: RepositoryRef, reference: Reference, deadline?: number): Promise<ManifestHead> {
    const path = `manifests/${reference.toString()}`;
    const answer = await this.ask(repository, 'HEAD', path, { accept: acceptManifests }, deadline);
    discardBody(answer.body, '0');
    if (answer.status !== 200) throw this.errorOf(answer);
    const mediaType = parseMediaType(answer.headers['content-type']);
    return {
      digest: Digest.find(single(answer.headers['docker-content-digest']) ?? ''),
      mediaType: mediaType !== undefined && isManifestMediaType(mediaType) ? mediaType : undefined,
      size: lengthOf(answer.headers),
    };
  }

  /** A manifest whose bytes have been checked against its digest, as far as there is one. */
  async getManifest(repository: RepositoryRef, reference: Reference, deadline?: number): Promise<Manifest> {
    const path = `manifests/${reference.toString()}`;
    const answer = await this.ask(repository, 'GET', path, { accept: acceptManifests }, deadline);
    if (answer.status !== 200) throw this.refuse(answer);
    const body = await readBody(answer.body, maxManifestBytes, answer.host);
    const stated = Digest.find(single(answer.headers['docker-content-digest']) ?? '');
    const expected = reference instanceof Digest ? reference : stated;
    try {
      const manifest = parseManifest(body, answer.headers['content-type'], expected?.algorithm ?? 'sha256');
      if (expected && !manifest.digest.equals(expected))
        throw new ManifestError('the document does not have its digest');
      return manifest;
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      throw new UpstreamError('wrong', `${answer.host} sent no valid manifest: ${error.message}`);
    }
  }

  /** Whether the repository has the blob, and its size when the upstream says it, without fetching it. */
  async headBlob(repository: RepositoryRef, digest: Digest): Promise<{ readonly size: number | undefined }> {
    const path = `blobs/${digest.toString()}`;
    const answer = await this.ask(repository, 'HEAD', path, {});
    discardBody(answer.body, '0');
    if (answer.status === 200) return { size: lengthOf(answer.headers) };
    // Signed download URLs are for GET only, and some registries refuse every HEAD of a blob (upstreams.md).
    if (![400, 401, 403, 405, 501].includes(answer.status)) throw this.errorOf(answer);
    const { size, body } = await this.openBlob(repository, digest);
    body.destroy();
    return { size };
  }

  /** @param from where to go on after a cut, and the entity tag that the bytes before it had. */
  async openBlob(
    repository: RepositoryRef,
    digest: Digest,
    from?: { offset: number; entityTag: string | undefined },
  ): Promise<BlobBody> {
    const headers: Record<string, string> = {};
    if (from) headers.range = `bytes=${from.offset}-`;
    if (from?.entityTag !== undefined) headers['if-range'] = from.entityTag;
    const answer = await this.ask(repository, 'GET', `blobs/${digest.toString()}`, headers);
    const { body, host } = answer;
    const tag = answer.headers.etag;
    const entityTag = tag?.startsWith('"') ? tag : undefined;
    if (answer.status === 200) return { offset: 0, size: lengthOf(answer.headers), entityTag, body, host };
    if (answer.status !== 206 || !from) throw this.refuse(answer);
    const range = parseContentRange(answer.headers['content-range']);
    if (range?.first === from.offset) return { offset: from.offset, size: range.size, entityTag, body, host };
    body.destroy();
    throw new UpstreamError('wrong', `${host} sent another range than it was asked for`);
  }

  /** @param query `n` and `last` as the client sent them. */
  async listTags(repository: RepositoryRef, query: URLSearchParams): Promise<ListPage> {
    const answer = await this.ask(repository, 'GET', withQuery('tags/list', query), { accept: 'application/json' });
    if (answer.status !== 200) throw this.refuse(answer);
    return {
      body: await readBody(answer.body, maxListBytes, answer.host),
      next: parseNextLink(single(answer.headers.link)),
    };
  }

  /** @param query `artifactType` as the client sent it. */
  async listReferrers(
    repository: RepositoryRef,
    digest: Digest,
    query: URLSearchParams,
  ): Promise<ListPage & { readonly filters: string | undefined }> {
    const path = withQuery(`referrers/${digest.toString()}`, query);
    const answer = await this.ask(repository, 'GET', path, { accept: manifestMediaTypes.ociIndex });
    // Registries without the endpoint answer 404 or 405 and worse; clients then look for the tag (end-12a).
    if (answer.status !== 200 || parseMediaType(answer.headers['content-type']) !== manifestMediaTypes.ociIndex) {
      if ([401, 403, 429].includes(answer.status) || answer.status >= 500) throw this.refuse(answer);
      answer.body.destroy();
      throw new UpstreamError('missing', `${answer.host} lists no referrers`);
    }
    return {
      body: await readBody(answer.body, maxListBytes, answer.host),
      next: parseNextLink(single(answer.headers.link)),
      filters: single(answer.headers['oci-filters-applied']),
    };
  }

  onApplicationShutdown(): void {
    this.agents.close();
  }

  private ask(
    repository: RepositoryRef,
    method: 'GET' | 'HEAD',
    path: string,
    headers: Record<string, string>,
    deadline?: number,
  ): Promise<Exchange> {
    const upstream = this.upstreams.get(repository.namespace);
    return this.session.ask({
      upstream,
      repository: repository.name,
      method,
      path: `/v2/${repository.name}/${path}`,
      headers,
      ...(deadline !== undefined && { deadline }),
    });
  }

  private refuse(answer: Exchange): UpstreamError {
    discardBody(answer.body, answer.headers['content-length']);
    return this.errorOf(answer);
  }

  private errorOf({ status, headers, host }: Exchange): UpstreamError {
    return errorOfStatus(status, host, parseRetryAfter(headers['retry-after'], this.clock.now()));
  }
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
