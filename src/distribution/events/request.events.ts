import { createParamDecorator, Injectable, Logger, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AccessService } from '../../access/access.service.js';
import type { ClientOrigin } from '../../access/client.origin.js';
import { signedInOf } from '../../access/identified.request.js';
import { isAnonymous } from '../../access/rules/identity.js';
import type { EventAction } from '../../config/webhooks/webhook.settings.js';
import type { EventTarget } from '../../events/event.js';
import { EventsService } from '../../events/events.service.js';
import { Digest } from '../../oci/digest.js';
import type { Reference, Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { BlobsService } from '../../registry/blobs.service.js';
import type { ManifestHead } from '../../registry/manifest.js';
import type { PutResult } from '../../registry/push.js';
import { clientRequestOf } from '../access/access.plugin.js';
import { RequesterPipe } from '../requester.pipe.js';
import { RepositoryUrl } from '../requests/repository.url.js';
import type { HttpResponse, ServedRequest } from '../responses/http.response.js';
import { eventRequestOf } from './event.request.js';

/** Content of mounted blobs: a registry does not know their types. */
const blobType = 'application/octet-stream';

/** Tells webhooks what a request has done, in the words of the distribution specification. */
export class RequestEvents {
  constructor(
    private readonly request: ServedRequest,
    private readonly events: EventsService,
    private readonly access: AccessService,
    private readonly blobs: BlobsService,
  ) {}

  /** One event for each tag; one for a manifest that was pushed without any. */
  async pushed(repository: RepositoryRef, { digest, mediaType, size, tags }: PutResult): Promise<void> {
    for (const tag of tags.length === 0 ? [undefined] : tags)
      await this.emit('push', repository, () => this.manifest({ digest, mediaType, size }, tag));
  }

  /** @param from undefined when the client did not say */
  async mounted(repository: RepositoryRef, digest: Digest, from: RepositoryRef | undefined): Promise<void> {
    if (!this.events.wants('mount', repository)) return;
    const size = await this.blobs.head(repository, digest).then(
      (head) => head.size,
      () => undefined,
    );
    await this.emit('mount', repository, () => ({
      kind: 'blob',
      mediaType: blobType,
      digest: digest.toString(),
      ...(size !== undefined && { size }),
      ...(from && { fromRepository: from.toString() }),
      url: this.client.origin + RepositoryUrl.of(this.request).blob(digest),
    }));
  }

  /** @param tags that went with the manifest */
  async deletedManifest(repository: RepositoryRef, reference: Reference, tags: readonly Tag[]): Promise<void> {
    if (reference instanceof Digest)
      await this.emit('delete', repository, () => ({ kind: 'manifest', digest: reference.toString() }));
    for (const tag of tags) await this.emit('delete', repository, () => ({ kind: 'tag', tag: tag.name }));
  }

  async deletedBlob(repository: RepositoryRef, digest: Digest): Promise<void> {
    await this.emit('delete', repository, () => ({ kind: 'blob', digest: digest.toString() }));
  }

  async pulled(repository: RepositoryRef, reference: Reference, manifest: ManifestHead): Promise<void> {
    const tag = reference instanceof Digest ? undefined : reference;
    await this.emit('pull', repository, () => this.manifest(manifest, tag));
  }

  private manifest(
    { digest, mediaType, size }: Pick<ManifestHead, 'digest' | 'mediaType' | 'size'>,
    tag: Tag | undefined,
  ): EventTarget {
    const url = this.client.origin + RepositoryUrl.of(this.request).manifest(digest);
    return { kind: 'manifest', mediaType, digest: digest.toString(), size, url, ...(tag && { tag: tag.name }) };
  }

  private get client(): ClientOrigin {
    return this.access.clientOf(clientRequestOf(this.request));
  }

  /** Never rejects: what has happened does not fail because of its event. */
  private async emit(action: EventAction, repository: RepositoryRef, target: () => EventTarget): Promise<void> {
    try {
      const identity = signedInOf(this.request)?.identity;
      const actor = identity && !isAnonymous(identity) ? identity.subject : undefined;
      const request = eventRequestOf(this.request, this.client.address);
      await this.events.emit({ action, repository, target: target(), actor, request });
    } catch (error) {
      new Logger('Webhooks').error(`an event could not be made: ${String(error)}`);
    }
  }
}

/** The events of a request; undefined without webhooks. */
@Injectable()
export class EventsPipe implements PipeTransform<ServedRequest, RequestEvents | undefined> {
  constructor(
    private readonly events: EventsService,
    private readonly access: AccessService,
    private readonly blobs: BlobsService,
  ) {}

  transform(request: ServedRequest): RequestEvents | undefined {
    return this.events.isEnabled ? new RequestEvents(request, this.events, this.access, this.blobs) : undefined;
  }
}

/** Tells of pulls: a response is noted each time that it is served, from the cache of responses too. */
@Injectable()
export class PullEvents {
  constructor(
    private readonly events: EventsService,
    private readonly pipe: EventsPipe,
    private readonly requesters: RequesterPipe,
  ) {}

  noted(
    response: HttpResponse,
    repository: RepositoryRef,
    reference: Reference,
    { digest, mediaType, size, cache }: ManifestHead,
  ): HttpResponse {
    if (!this.events.wants('pull', repository)) return response;
    const served = (request: ServedRequest) => {
      // A replica asks for clients of its own.
      if (this.requesters.transform(request) === 'replica') return;
      void this.pipe.transform(request)?.pulled(repository, reference, { digest, mediaType, size, cache });
    };
    if (response.status === 200) return { ...response, served };
    return response.whole ? { ...response, whole: { ...response.whole, served } } : response;
  }
}

const requestAsSent = createParamDecorator((_: undefined, context: ExecutionContext) =>
  context.switchToHttp().getRequest<FastifyRequest>(),
);
export const EventsOf = () => requestAsSent(EventsPipe);
