import { Inject, Injectable, type PipeTransform } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Clock } from '../config/clock/clock.js';
import { ServerSettings } from '../config/server.settings.js';
import { ClusterKey } from '../config/values/cluster-key.js';
import { parseOrigin } from '../config/values/origin.js';
import type { Requester } from '../registry/blob.js';
import { originForm } from './request-target.js';

type SentRequest = Pick<FastifyRequest, 'headers' | 'originalUrl'>;

/** Tells replicas from clients. With a cluster key, a replica that does not prove that it has the key is a client. */
@Injectable()
export class RequesterPipe implements PipeTransform<SentRequest, Requester> {
  private readonly key: ClusterKey | undefined;
  private readonly audience: string;

  constructor(
    { clusterKey, advertiseUrl = '' }: ServerSettings,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.key = clusterKey && new ClusterKey(clusterKey);
    this.audience = parseOrigin(advertiseUrl) ?? '';
  }

  /** Whether it is from a replica that has proved it: without a cluster key none can. */
  hasProof(request: SentRequest): boolean {
    return this.key !== undefined && this.transform(request) === 'replica';
  }

  transform({ headers, originalUrl }: SentRequest): Requester {
    const { 'oci-registry-follower': follower, 'oci-registry-proof': proof } = headers;
    if (follower === undefined) return 'client';
    if (!this.key) return 'replica';
    if (typeof follower !== 'string' || typeof proof !== 'string') return 'client';
    const pull = { follower, audience: this.audience, target: originForm(originalUrl) };
    return this.key.verifyPull(pull, proof, this.clock.now()) ? 'replica' : 'client';
  }
}
