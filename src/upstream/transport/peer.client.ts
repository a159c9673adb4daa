import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import http from 'node:http';
import https from 'node:https';
import { Clock } from '../../config/clock/clock.js';
import { ServerSettings } from '../../config/server.settings.js';
import { ClusterKey } from '../../config/values/cluster-key.js';
import { Networks } from '../../config/values/networks.js';
import { readJson, type JsonShape } from '../../oci/json/json.js';
import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { AddressError, checkLiteralHost, guardedLookup } from './address.guard.js';
import { findBlobBody, type BlobBody } from './blob.body.js';
import { discardBody, readBody } from './body.js';
import { likelyPeerNetworks } from './peer.networks.js';
import { Resolver } from './resolver.js';
import { parseRetryAfter } from '../../config/transport/retry-after.js';
import { exchange, type Exchange, type ExchangeRequest } from './transport.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';

/** Milliseconds until the response headers arrive: as long as the other replica waits for the upstream. */
const headDeadline = 25_000;
/** Maximum bytes of an error document, and characters of its reason that are passed on. */
const maxDocument = 64 * 1024;
const maxReason = 300;
const errorShape: JsonShape = {
  fields: { errors: { items: { fields: { code: 'value', message: 'value', detail: 'value' } }, max: 1 } },
};

/**
 * Error codes of another replica that state what the upstream responded. Codes that concern the replica itself are left
 * out.
 */
const responses: Readonly<Record<string, readonly [status: number, kind: UpstreamErrorKind]>> = {
  BLOB_UNKNOWN: [404, 'missing'],
  UNAUTHORIZED: [401, 'unauthorized'],
  DENIED: [403, 'denied'],
  TOOMANYREQUESTS: [429, 'rate-limited'],
};

/** A request for a blob to another replica. */
export interface PeerRequest {
  /** Origin of the replica: its `--advertise-url`. */
  readonly url: string;
  /** Identity of the requester: for a follower's request, the replica follows no other replica. */
  readonly follower: string;
  readonly repository: RepositoryRef;
  readonly digest: Digest;
  /** Offset of the first byte; 0 unless given. */
  readonly offset?: number | undefined;
  /** Aborts the wait for the response headers. */
  readonly signal?: AbortSignal;
}

/** Requests blobs from other replicas on the same storage through the public pull route, without credentials. */
@Injectable()
export class PeerClient implements OnApplicationShutdown {
  private readonly http: http.Agent;
  private https: https.Agent | undefined;
  private readonly agentOptions: https.AgentOptions;
  private readonly key: ClusterKey | undefined;
  /** Not reported: these bytes were counted when they were fetched from the upstream. */
  private readonly counts = { received: 0 };

  constructor(
    @Inject(Resolver) resolver: Resolver,
    @Inject(Clock) private readonly clock: Clock,
    private readonly settings: ServerSettings,
  ) {
    const { clusterKey } = settings;
    this.key = clusterKey && new ClusterKey(clusterKey);
    const lookup = guardedLookup(resolver.lookup, this.isPermitted);
    // Closes idle connections before the other side does.
    this.agentOptions = { keepAlive: true, maxFreeSockets: 16, timeout: 55_000, lookup };
    this.http = new http.Agent(this.agentOptions);
  }

  /**
   * The result has no entity tag, because the replica's is not the upstream's.
   * @throws UpstreamError `missing`, `unauthorized`, `denied` or `rate-limited` when the upstream said so; `wrong` for any
   * other error response; `unavailable`, `unresolved` or `timeout` when the replica does not respond.
   */
  async openBlob({ url, follower, repository, digest, offset, signal }: PeerRequest): Promise<BlobBody> {
    const target = targetOf(url, repository, digest);
    const pull = { follower, audience: url, target: target.pathname + target.search };
    const proof = this.key?.signPull(pull, this.clock.now());
    const response = await this.exchange({
      method: 'GET',
      url: target,
      agent: target.protocol === 'https:' ? (this.https ??= new https.Agent(this.agentOptions)) : this.http,
      deadline: headDeadline,
      isDirect: true,
      signal,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'oci-registry',
        'oci-registry-follower': follower,
        ...(proof !== undefined && { 'oci-registry-proof': proof }),
        ...(offset !== undefined && { range: `bytes=${offset}-` }),
      },
    });
    const body = findBlobBody(response, offset);
    if (body) return { ...body, entityTag: undefined, counts: this.counts };
    throw await this.errorOf(response);
  }

  onApplicationShutdown(): void {
    this.http.destroy();
    this.https?.destroy();
  }

  /** @throws UpstreamError `unavailable` when the address cannot be that of a replica */
  private async exchange(request: ExchangeRequest): Promise<Exchange> {
    try {
      checkLiteralHost(request.url.hostname, this.isPermitted);
      return await exchange(request);
    } catch (error) {
      const isRefused = error instanceof UpstreamError && error.kind === 'refused';
      if (!isRefused && !(error instanceof AddressError)) throw error;
      throw new UpstreamError('unavailable', `${request.url.host} is not in --peer-networks`);
    }
  }

  /**
   * Networks in which replicas are followed; undefined for any, since a signed lease names a replica. Without a key,
   * anyone who can write the storage may have named the address.
   */
  get networks(): readonly string[] | undefined {
    const { peerNetworks, advertiseUrl } = this.settings;
    return this.key ? undefined : (peerNetworks ?? likelyPeerNetworks(advertiseUrl));
  }

  private readonly isPermitted = (address: string): boolean => {
    const { networks } = this;
    return networks === undefined || new Networks(networks).has(address);
  };

  private async errorOf({ status, headers, body, host }: Exchange): Promise<UpstreamError> {
    const unusable = new UpstreamError('wrong', `the replica at ${host} responded with ${status}`);
    if (!Object.values(responses).some(([known]) => known === status)) {
      discardBody(body, headers['content-length']);
      return unusable;
    }
    const document = await readBody(body, maxDocument, host).catch(() => undefined);
    const { code = '', reason } = (document && firstError(document)) ?? {};
    const [expected, kind] = responses[code] ?? [];
    if (kind === undefined || expected !== status) return unusable;
    return new UpstreamError(
      kind,
      reason ?? unusable.message,
      parseRetryAfter(headers['retry-after'], this.clock.now()),
    );
  }
}

/** Names the namespace twice: one path prefix is removed, so that a repository whose name begins with the namespace is preserved. */
function targetOf(base: string, { namespace, name }: RepositoryRef, digest: Digest): URL {
  const host = namespace.toString();
  const target = new URL(`${base}/v2/${host}/${name}/blobs/${digest.toString()}`);
  target.searchParams.set('ns', host);
  return target;
}

/** The code of the first error in a document, and its detail or message. */
function firstError(document: Buffer): { readonly code?: string; readonly reason?: string } | undefined {
  try {
    const { errors } = readJson(document, errorShape) as { errors?: Record<string, unknown>[] };
    const { code, message, detail } = errors?.[0] ?? {};
    const reason = typeof detail === 'string' ? detail : message;
    return {
      ...(typeof code === 'string' && { code }),
      ...(typeof reason === 'string' && reason !== '' && { reason: reason.slice(0, maxReason) }),
    };
  } catch {
    return undefined;
  }
}
