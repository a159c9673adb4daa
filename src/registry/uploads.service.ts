import { Injectable } from '@nestjs/common';
import type { Digest, DigestAlgorithm } from '../oci/digest.js';
import type { RepositoryRef } from '../oci/repository.js';
import { HostedBlobsService } from './hosted/hosted-blobs.service.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';
import { HostedUploadsService } from './hosted/hosted-uploads.service.js';
import { MirroredBlobsService } from './mirrored/mirrored-blobs.service.js';
import { MountSources } from './reading/mount.sources.js';
import { PushRights } from './push-rights.js';
import type { PushCounts } from './statistics/push.counts.js';
import { TrafficCounts } from './statistics/traffic.counts.js';
import type { ChunkRange, PushBody, UploadPlace } from './push.js';

/** Uploads of blobs to repositories (end-4 to end-6, end-11, end-13, end-14). */
@Injectable()
export class UploadsService {
  constructor(
    private readonly rights: PushRights,
    private readonly uploads: HostedUploadsService,
    private readonly hosted: HostedBlobsService,
    private readonly mirrored: MirroredBlobsService,
    private readonly namespaces: HostedNamespaces,
    private readonly sources: MountSources,
    private readonly traffic: TrafficCounts,
  ) {}

  /** Begins a session. @throws OciError */
  async begin(
    repository: RepositoryRef,
    options: { readonly algorithm?: DigestAlgorithm | undefined; readonly startedBy?: string | undefined } = {},
  ): Promise<UploadPlace> {
    this.rights.assert(repository);
    return this.uploads.begin(repository, options);
  }

  /**
   * @param range undefined appends.
   * @param client identity of the client, which must be that which began the session; undefined when it did not sign in.
   * @param begun what the URL of the session says of its beginning.
   * @throws RangeRefused before a byte of the body is read; OciError. What was received stays received.
   */
  async append(
    repository: RepositoryRef,
    id: string,
    epoch: number | undefined,
    range: ChunkRange | undefined,
    body: PushBody,
    client?: string,
    begun?: string,
  ): Promise<UploadPlace> {
    this.rights.assert(repository);
    const pushes = this.pushesOf(repository);
    return pushes.receiving(repository.toString(), body, (received) =>
      this.uploads.append({ repository, client, begun }, id, epoch, range, received),
    );
  }

  /**
   * Ends the session with its last bytes, if any.
   * @throws RangeRefused; OciError, DIGEST_INVALID when the content has another digest: the session has ended then
   */
  async complete(
    repository: RepositoryRef,
    id: string,
    epoch: number | undefined,
    digest: Digest,
    range: ChunkRange | undefined,
    body: PushBody,
    client?: string,
    begun?: string,
  ): Promise<void> {
    this.rights.assert(repository);
    const pushes = this.pushesOf(repository);
    const complete = (received: PushBody) =>
      this.uploads.complete({ repository, client, begun }, id, epoch, digest, range, received);
    return pushes.receiving(repository.toString(), body, (received) => pushes.ending('blob', () => complete(received)));
  }

  /** A blob in one request. @throws OciError */
  async single(repository: RepositoryRef, digest: Digest, body: PushBody): Promise<void> {
    this.rights.assert(repository);
    const pushes = this.pushesOf(repository);
    return pushes.receiving(repository.toString(), body, (received) =>
      pushes.ending('blob', () => this.uploads.single(repository, digest, received)),
    );
  }

  /** @throws OciError BLOB_UPLOAD_UNKNOWN, also for a session of another repository or client */
  async status(
    repository: RepositoryRef,
    id: string,
    epoch?: number,
    client?: string,
    begun?: string,
  ): Promise<UploadPlace> {
    this.rights.assert(repository);
    return this.uploads.status({ repository, client, begun }, id, epoch);
  }

  /** @throws OciError BLOB_UPLOAD_UNKNOWN */
  async cancel(repository: RepositoryRef, id: string, epoch?: number, client?: string, begun?: string): Promise<void> {
    this.rights.assert(repository);
    return this.uploads.cancel({ repository, client, begun }, id, epoch);
  }

  /**
   * Adds a blob of another repository to this one.
   * @param from a repository that the client may pull from; undefined: any that has the blob.
   * @param isVisible whether the client may pull from a repository; all of them unless given.
   * @returns false when it does not have the blob, and the client has to upload it.
   */
  async mount(
    repository: RepositoryRef,
    digest: Digest,
    from: RepositoryRef | undefined,
    isVisible?: (repository: RepositoryRef) => boolean,
  ): Promise<boolean> {
    this.rights.assert(repository);
    const size = await (from ? this.findSource(from, digest) : this.findAnywhere(repository, digest, isVisible));
    if (size === undefined) return false;
    const isMounted = await this.uploads.mount(repository, digest, size);
    if (isMounted) this.pushesOf(repository).results.blob.mounted += 1;
    return isMounted;
  }

  private pushesOf({ namespace }: RepositoryRef): PushCounts {
    return this.traffic.of(namespace.toString()).pushes;
  }

  private async findAnywhere(
    repository: RepositoryRef,
    digest: Digest,
    isVisible: (repository: RepositoryRef) => boolean = () => true,
  ): Promise<number | undefined> {
    const own = await this.findSource(repository, digest);
    if (own !== undefined) return own;
    const sources = await this.sources.find(digest).catch(() => []);
    // What the client may not see is not even looked at: that would take longer than where nothing is.
    for (const source of sources.filter(isVisible)) {
      const size = await this.findSource(source, digest);
      if (size !== undefined) return size;
    }
    return undefined;
  }

  /** Whatever is wrong with the source, the client can upload the blob. */
  private async findSource(from: RepositoryRef, digest: Digest): Promise<number | undefined> {
    const source = this.namespaces.has(from.namespace)
      ? this.hosted.findSize(from, digest)
      : this.mirrored.findStored(from, digest);
    return source.catch(() => undefined);
  }
}
