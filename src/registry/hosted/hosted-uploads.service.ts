import { Injectable } from '@nestjs/common';
import type { Digest, DigestAlgorithm } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { StorageError } from '../../storage/storage-error.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { UploadStore, type UploadRecord, type UploadSession } from '../../storage/stores/upload.store.js';
import { UsesService } from '../eviction/uses.service.js';
import { RangeRefused, type ChunkRange, type PushBody, type UploadPlace } from '../push.js';
import { toResponseError } from '../response-error.js';
import { HostedBlobsService } from './hosted-blobs.service.js';
import { OpenSessions, SessionEnded } from './open.sessions.js';
import { ContentLock } from './locks/content.lock.js';
import { QuotaService } from './quota/quota.service.js';
import { RefusedSessions } from './refused.sessions.js';
import { AcknowledgedUploads } from './uploads/acknowledged.uploads.js';
import { UploadBodies } from './uploads/upload.bodies.js';
import { isOwn, type SessionOwner } from './session.owner.js';

/** Takes blobs that clients push to hosted repositories. */
@Injectable()
export class HostedUploadsService {
  constructor(
    private readonly uploads: UploadStore,
    private readonly sessions: OpenSessions,
    private readonly blobs: HostedBlobsService,
    private readonly content: ContentStore,
    private readonly quota: QuotaService,
    private readonly refused: RefusedSessions,
    private readonly acknowledged: AcknowledgedUploads,
    private readonly contents: ContentLock,
    private readonly uses: UsesService,
    private readonly bodies: UploadBodies,
  ) {}

  begin(
    repository: RepositoryRef,
    options: { readonly algorithm?: DigestAlgorithm | undefined; readonly startedBy?: string | undefined },
  ): Promise<UploadPlace> {
    return this.responding(async () => {
      // Its size is unknown, but not that a full quota has no room for it.
      await this.quota.check(repository, 1);
      const session = await this.uploads.begin(repository, options);
      this.sessions.keep(session);
      return this.placeOf(session);
    });
  }

  append(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
    range: ChunkRange | undefined,
    body: PushBody,
  ): Promise<UploadPlace> {
    return this.inSession(owner, id, epoch, async (session, signal) => {
      await this.assertStart(session, range);
      const admit = (size: number) => this.quota.check(owner.repository, size);
      await this.refused.watch(session, () => this.bodies.receive(session, range, body, admit, signal));
      return { result: this.placeOf(session), goesOn: true };
    });
  }

  complete(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
    digest: Digest,
    range: ChunkRange | undefined,
    body: PushBody,
  ): Promise<void> {
    const { repository } = owner;
    const action = async (session: UploadSession, signal: AbortSignal) => {
      if (session.committing !== digest.toString()) await this.assertStart(session, range);
      // Nothing came before, so that the content can be written where it belongs.
      const whole = session.size === 0;
      const size = await this.refused.watch(session, () =>
        whole
          ? this.bodies.receiveWhole(repository, digest, range, body, signal)
          : this.bodies.receiveRest(repository, session, digest, range, body, signal),
      );
      if (size === undefined && whole) await session.assertHeld();
      if (whole) await session.abort();
      if (size === undefined) throw new SessionEnded(wrongDigest(digest));
      return { result: undefined, goesOn: false };
    };
    return this.responding(async () => {
      try {
        await this.inSession(await this.repeating(owner, digest, body), id, epoch, action, body.length === 0);
      } catch (error) {
        if (!(await this.acknowledged.has(owner, id, digest, body, error))) throw error;
      }
    });
  }

  /** A blob in one request. */
  single(repository: RepositoryRef, digest: Digest, body: PushBody): Promise<void> {
    return this.responding(async () => {
      const signal = new AbortController().signal;
      const size = await this.bodies.receiveWhole(repository, digest, undefined, body, signal);
      if (size === undefined) throw wrongDigest(digest);
    });
  }

  status(owner: SessionOwner, id: string, epoch: number | undefined): Promise<UploadPlace> {
    return this.responding(async () => {
      this.refused.assertNot(owner, id);
      await this.restore(owner, id);
      await this.findOwn(owner, id, epoch);
      await this.sessions.interrupt(id);
      const record = await this.findOwn(owner, id, epoch);
      if (record.committing === undefined || (await this.uploads.isCommitted(record))) return this.placeOf(record);
      // A claim tells whether its bytes are still there.
      const action = (session: UploadSession) => Promise.resolve({ result: this.placeOf(session), goesOn: true });
      return this.sessions.run(owner, id, record.epoch, action);
    });
  }

  /** @throws OciError BLOB_UPLOAD_UNKNOWN, also for a session of another repository or client */
  private async findOwn(owner: SessionOwner, id: string, epoch: number | undefined): Promise<UploadRecord> {
    const record = await this.uploads.find(id, epoch);
    if (!record || !isOwn(owner, record)) throw new OciError('BLOB_UPLOAD_UNKNOWN');
    return record;
  }

  cancel(owner: SessionOwner, id: string, epoch: number | undefined): Promise<void> {
    return this.responding(async () => {
      if (this.refused.forget(owner, id)) return;
      await this.restore(owner, id);
      try {
        await this.sessions.run(owner, id, epoch, async (session) => {
          await this.sessions.assertNewest(session);
          await session.abort();
          return { result: undefined, goesOn: false };
        });
      } catch (error) {
        if (!(error instanceof StorageError) || error.kind !== 'full') throw error;
        await this.findOwn(owner, id, epoch);
        await this.uploads.discard(id, epoch);
      }
    });
  }

  /** Adds stored content of another repository. @param size of the content. @returns false when it was removed meanwhile */
  mount(repository: RepositoryRef, digest: Digest, size: number): Promise<boolean> {
    return this.responding(async () => {
      const added = await this.quota.within(repository, digest, size, async () => {
        await this.contents.take(digest);
        if ((await this.content.findSize(digest)) !== size) return undefined;
        await this.blobs.add(repository, digest, size);
        return size;
      });
      if (added !== undefined) this.uses.blob(repository, digest);
      return added !== undefined;
    });
  }

  private inSession<T>(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
    action: (session: UploadSession, signal: AbortSignal) => Promise<{ result: T; goesOn: boolean }>,
    isRepeatable = false,
  ): Promise<T> {
    return this.responding(async () => {
      this.refused.assertNot(owner, id);
      await this.restore(owner, id);
      return this.sessions.run(owner, id, epoch, action, isRepeatable);
    });
  }

  /** A PUT without a body for what is there repeats one, whose session must not begin anew. */
  private async repeating(owner: SessionOwner, digest: Digest, body: PushBody): Promise<SessionOwner> {
    if (owner.begun === undefined || body.length !== 0) return owner;
    const isThere = (await this.blobs.findSize(owner.repository, digest)) !== undefined;
    return isThere ? { ...owner, begun: undefined } : owner;
  }

  /** What the URL says counts for nothing where the process knows the session. */
  private restore({ repository, client, begun }: SessionOwner, id: string): Promise<void> {
    return this.uploads.restore(id, begun, { repository: repository.toString(), startedBy: client });
  }

  private placeOf({ id, size, epoch, begun }: UploadRecord): UploadPlace {
    const { minChunk } = this.uploads;
    return { id, size, epoch, ...(minChunk !== undefined && { minChunk }), ...(begun !== undefined && { begun }) };
  }

  private async assertStart(session: UploadSession, range: ChunkRange | undefined): Promise<void> {
    if (!range || range.start === session.size) return;
    await this.sessions.assertNewest(session);
    throw new RangeRefused(this.placeOf(session));
  }

  private async responding<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toResponseError(error, 'BLOB_UNKNOWN');
    }
  }
}

function wrongDigest(digest: Digest): OciError {
  return new OciError('DIGEST_INVALID', `the content does not have the digest ${digest.toString()}`);
}
