import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import http from 'node:http';
import https from 'node:https';
import { Clock } from '../../config/clock/clock.js';
import { readJson, type JsonShape } from '../../oci/json/json.js';
import type { Digest } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { Resolver } from './address.guard.js';
import { findBlobBody, type BlobBody } from './blob.body.js';
import { discardBody, readBody } from './body.js';
import { parseRetryAfter } from '../health/retry-after.js';
import { exchange, type Exchange } from './transport.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';

/** Milliseconds until the other replica's answer has begun: as long as it waits for the upstream itself. */
const headDeadline = 25_000;
/** Bytes of its error document, and characters of its reason that are passed on. */
const maxDocument = 64 * 1024;
const maxReason = 300;
const errorShape: JsonShape = {
  fields: { errors: { items: { fields: { code: 'value', message: 'value', detail: 'value' } }, max: 1 } },
};

/**
 * What another replica says of the upstream in the specification's words, which is as good as if we had asked. The codes
 * that are about the replica itself are left out.
 */
const responses: Readonly<Record<string, readonly [status: number, kind: UpstreamErrorKind]>> = {
  BLOB_UNKNOWN: [404, 'missing'],
  UNAUTHORIZED: [401, 'unauthorized'],
  DENIED: [403, 'denied'],
  TOOMANYREQUESTS: [429, 'rate-limited'],
};

/** A blob of a replica. */
export interface PeerQuestion {
  /** Where the replica is: its `--advertise-url`. */
  readonly url: string;
  /** Who asks: the replica then follows nobody for this. */
  readonly follower: string;
  readonly repository: RepositoryRef;
  readonly digest: Digest;
  /** The first byte to send; the first one of all when it is left out. */
  readonly offset?: number | undefined;
  /** Gives up waiting for the answer to begin. */
  readonly signal?: AbortSignal;
}

/** Asks other replicas on the same storage, through the route that clients use. They are told no credentials. */
@Injectable()
export class PeerClient implements OnApplicationShutdown {
  private readonly http: http.Agent;
  private readonly https: https.Agent;
  /** What replicas send was fetched from an upstream once, and counted there. */
  private readonly counts = { received: 0 };

  constructor(
    @Inject(Resolver) resolver: Resolver,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    // Idle connections are closed before the other side does it.
    const options = { keepAlive: true, maxFreeSockets: 16, timeout: 55_000, lookup: resolver.lookup };
    this.http = new http.Agent(options);
    this.https = new https.Agent(options);
  }

  /**
   * The entity tag is left out: it is not the upstream's.
   * @throws UpstreamError with the upstream's answer as the replica passes it on (`missing`, `unauthorized`, `denied`,
   * `rate-limited`); `wrong` when it is of no use for this; `unavailable`, `unresolved` or `timeout` when it does not answer.
   */
  async openBlob({ url, follower, repository, digest, offset, signal }: PeerQuestion): Promise<BlobBody> {
    const target = targetOf(url, repository, digest);
    const response = await exchange({
      method: 'GET',
      url: target,
      agent: target.protocol === 'https:' ? this.https : this.http,
      deadline: headDeadline,
      isDirect: true,
      signal,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'oci-registry',
        'oci-registry-follower': follower,
        ...(offset !== undefined && { range: `bytes=${offset}-` }),
      },
    });
    const body = findBlobBody(response, offset);
    if (body) return { ...body, entityTag: undefined, counts: this.counts };
    throw await this.errorOf(response);
  }

  onApplicationShutdown(): void {
    this.http.destroy();
    this.https.destroy();
  }

  private async errorOf({ status, headers, body, host }: Exchange): Promise<UpstreamError> {
    const useless = new UpstreamError('wrong', `the replica at ${host} answered ${status}`);
    if (!Object.values(responses).some(([known]) => known === status)) {
      discardBody(body, headers['content-length']);
      return useless;
    }
    const document = await readBody(body, maxDocument, host).catch(() => undefined);
    const { code = '', reason } = (document && firstError(document)) ?? {};
    const [expected, kind] = responses[code] ?? [];
    if (kind === undefined || expected !== status) return useless;
    return new UpstreamError(
      kind,
      reason ?? useless.message,
      parseRetryAfter(headers['retry-after'], this.clock.now()),
    );
  }
}

/** The namespace is named twice: it is taken off a path once, so that a name that begins with it stays what it is. */
function targetOf(base: string, { namespace, name }: RepositoryRef, digest: Digest): URL {
  const host = namespace.toString();
  const target = new URL(`${base.replace(/\/+$/, '')}/v2/${host}/${name}/blobs/${digest.toString()}`);
  target.searchParams.set('ns', host);
  return target;
}

/** The code of an error document, and the sentence in it that tells most. */
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
