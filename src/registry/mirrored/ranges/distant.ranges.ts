import { Injectable, Logger } from '@nestjs/common';
import { ServerSettings } from '../../../config/server.settings.js';
import { mayBeginBeyond } from '../../../oci/byte-range.js';
import type { RangeBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamClient } from '../../../upstream/upstream.client.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { UpstreamsService } from '../../../upstream/upstreams.service.js';
import type { BlobRequest, OpenBlob } from '../../blob.js';
import { NegativeCache } from '../freshness/negative.cache.js';
import { RangeRelay } from './range.relay.js';

/** Bytes beyond what a download has that are waited for. */
const nearby = 8 * 1024 * 1024;
/** Ranges of all upstreams that are relayed at a time, and connections of an upstream per range of its own. */
const maxRelays = 64;
const connectionsPerRelay = 8;

/** What is known of the blob where it is being downloaded. */
interface Progress {
  /** Bytes. */
  readonly received: number;
  readonly size: number | undefined;
}

type RangeRequest = BlobRequest & { readonly range: string };

/**
 * Ranges that begin far beyond what a download has, as lazy snapshotters ask for: fetched by a Range request of their own
 * and passed on. Nothing can verify them, and they are not stored. Whatever keeps that from working leaves the client to
 * the download.
 */
@Injectable()
export class DistantRanges {
  private readonly logger = new Logger('Ranges');
  private readonly relays = new Map<string, number>();
  private readonly mode: ServerSettings['distantRanges'];
  private readonly maxSize: number;
  private running = 0;

  constructor(
    private readonly upstream: UpstreamClient,
    private readonly upstreams: UpstreamsService,
    private readonly refusals: NegativeCache,
    settings: ServerSettings,
  ) {
    this.mode = settings.distantRanges;
    this.maxSize = settings.maxBlobSize ?? Infinity;
  }

  /** A range far ahead of a download. @throws UpstreamError when the upstream refuses it definitively */
  async openAhead(request: BlobRequest, download: Progress): Promise<OpenBlob | undefined> {
    return this.mode !== 'wait' && isDistant(request, download) ? this.open(request, download) : undefined;
  }

  /** A range that is no reason to begin a download. @throws UpstreamError when the upstream refuses it definitively */
  async openAlone(request: BlobRequest): Promise<OpenBlob | undefined> {
    const nothing = { received: 0, size: undefined };
    return this.mode === 'fetch-only' && isDistant(request, nothing) ? this.open(request, nothing) : undefined;
  }

  private async open(request: RangeRequest, progress: Progress): Promise<OpenBlob | undefined> {
    const { repository, digest } = request;
    const leave = this.enter(request);
    if (!leave) return undefined;
    let body: RangeBody | undefined;
    try {
      body = await this.fetch(request);
    } finally {
      if (!body) leave();
    }
    if (!body) return undefined;
    const relay = new RangeRelay(
      digest,
      body,
      (range, entityTag) => this.upstream.openRange(repository, digest, range, entityTag),
      leave,
    );
    // The end of a blob is only known to be far away now.
    const isUseful = body.part.offset > progress.received + nearby && body.size === (progress.size ?? body.size);
    if (isUseful && body.size <= this.maxSize) return relay;
    await relay.close();
    return undefined;
  }

  /** Undefined where the download may do better. */
  private async fetch({ repository, digest, range }: RangeRequest): Promise<RangeBody | undefined> {
    const key = `blob ${repository.toString()} ${digest.toString()}`;
    try {
      return await this.refusals.guard(key, () => this.upstream.openRange(repository, digest, range));
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.isDefinitive) throw error;
      this.logger.debug(`could not fetch a range of ${digest.toString()}: ${error.message}`);
      return undefined;
    }
  }

  /** Clients that read slowly must not take the connections of downloads. */
  private enter({ repository }: RangeRequest): (() => void) | undefined {
    const upstream = this.upstreams.get(repository.namespace);
    const { identity, settings } = upstream;
    const own = this.relays.get(identity) ?? 0;
    const isFull = own >= Math.floor(settings.maxConnections / connectionsPerRelay) || this.running >= maxRelays;
    if (isFull || this.upstream.hasBlobsWaiting(upstream)) return undefined;
    this.running += 1;
    this.relays.set(identity, own + 1);
    return () => this.leave(identity);
  }

  private leave(identity: string): void {
    this.running -= 1;
    const own = (this.relays.get(identity) ?? 1) - 1;
    if (own === 0) this.relays.delete(identity);
    else this.relays.set(identity, own);
  }
}

function isDistant(request: BlobRequest, { received, size }: Progress): request is RangeRequest {
  const { range, requester } = request;
  return requester === 'client' && range !== undefined && mayBeginBeyond(range, received + nearby, size);
}
