import { Injectable } from '@nestjs/common';
import { ServerSettings } from '../../config/server.settings.js';
import type { Digest, DigestAlgorithm } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { StorageError } from '../../storage/storage-error.js';
import { ContentStore } from '../../storage/stores/content.store.js';
import { UploadLost, UploadStore, type UploadRecord, type UploadSession } from '../../storage/stores/upload.store.js';
import { UsesService } from '../eviction/uses.service.js';
import { RangeRefused, type ChunkRange, type PushBody, type UploadPlace } from '../push.js';
import { toResponseError } from '../response-error.js';
import { HostedBlobsService } from './hosted-blobs.service.js';
import { OpenSessions, SessionEnded } from './open.sessions.js';
import { ContentLock } from './locks/content.lock.js';
import { QuotaService } from './quota/quota.service.js';
import { receiveBody } from './receive-body.js';
import { RefusedSessions } from './refused.sessions.js';
import { AcknowledgedUploads } from './uploads/acknowledged.uploads.js';
import { isOwn, type SessionOwner } from './session.owner.js';

/** Bytes after which a session records where it stands. */
const checkpointBytes = 64 * 1024 * 1024;

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
    private readonly settings: ServerSettings,
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
      await this.refused.watch(session, () => this.receive(session, range, body, admit, signal));
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
          ? this.receiveWhole(repository, digest, range, body, signal)
          : this.receiveRest(repository, session, digest, range, body, signal),
      );
      if (size === undefined && whole) await session.assertHeld();
      if (whole) await session.abort();
      if (size === undefined) throw new SessionEnded(wrongDigest(digest));
      return { result: undefined, goesOn: false };
    };
    return this.responding(async () => {
      try {
        await this.inSession(owner, id, epoch, action, body.length === 0);
      } catch (error) {
        if (!(await this.acknowledged.has(owner, id, digest, body, error))) throw error;
      }
    });
  }

  /** A blob in one request. */
  single(repository: RepositoryRef, digest: Digest, body: PushBody): Promise<void> {
    return this.responding(async () => {
      const signal = new AbortController().signal;
      const size = await this.receiveWhole(repository, digest, undefined, body, signal);
      if (size === undefined) throw wrongDigest(digest);
    });
  }

  status(owner: SessionOwner, id: string, epoch: number | undefined): Promise<UploadPlace> {
    return this.responding(async () => {
      this.refused.assertNot(owner, id);
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
        return this.add(repository, digest, size);
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
    return this.responding(() => {
      this.refused.assertNot(owner, id);
      return this.sessions.run(owner, id, epoch, action, isRepeatable);
    });
  }

  private async add(repository: RepositoryRef, digest: Digest, size: number): Promise<number> {
    await this.blobs.add(repository, digest, size);
    return size;
  }

  private placeOf({ id, size, epoch }: UploadRecord): UploadPlace {
    const { minChunk } = this.uploads;
    return { id, size, epoch, ...(minChunk !== undefined && { minChunk }) };
  }

  private async assertStart(session: UploadSession, range: ChunkRange | undefined): Promise<void> {
    if (!range || range.start === session.size) return;
    await this.sessions.assertNewest(session);
    throw new RangeRefused(this.placeOf(session));
  }

  /** What a client has sent before it left stays, so that it can go on there. */
  private async receive(
    session: UploadSession,
    range: ChunkRange | undefined,
    body: PushBody,
    admit: (size: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let unsaved = 0;
    if (body.length !== 0) await this.sessions.assertNewest(session, () => session.prepare());
    await admit(session.size + (body.length ?? 0));
    const limits = { range, before: session.size, most: this.settings.maxBlobSize };
    const take = async (chunk: Uint8Array) => {
      await admit(session.size + chunk.length);
      await session.append(chunk);
      unsaved += chunk.length;
      if (unsaved < checkpointBytes) return;
      unsaved = 0;
      await session.checkpoint();
    };
    try {
      await receiveBody(body, limits, take, signal);
    } catch (error) {
      if (!(error instanceof UploadLost) && !(error instanceof StorageError)) await session.checkpoint();
      throw error;
    }
    await session.checkpoint();
  }

  /** @returns undefined when the digest does not match. The session has ended then. */
  private async receiveRest(
    repository: RepositoryRef,
    session: UploadSession,
    digest: Digest,
    range: ChunkRange | undefined,
    body: PushBody,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const admit = (size: number) => this.quota.check(repository, size, digest);
    // Its bytes have the digest already: an earlier request that did not end has sent this body.
    if (session.committing === digest.toString()) await this.acknowledged.discard(body, session.size);
    else if (body.length !== 0) await this.receive(session, range, body, admit, signal);
    return this.quota.within(repository, digest, session.size, async () => {
      // The session goes on when this fails.
      await this.contents.take(digest);
      try {
        return await session.commit(digest, (size) => this.add(repository, digest, size));
      } catch (error) {
        throw error instanceof UploadLost ? error : ended(error);
      }
    });
  }

  /** @returns undefined when the digest does not match */
  private async receiveWhole(
    repository: RepositoryRef,
    digest: Digest,
    range: ChunkRange | undefined,
    body: PushBody,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    await this.quota.check(repository, body.length ?? 0, digest);
    const ingest = await this.content.createIngest(digest, { size: body.length });
    const hash = digest.hasher();
    try {
      const limits = { range, before: 0, most: this.settings.maxBlobSize };
      let received = 0;
      const take = async (chunk: Uint8Array) => {
        received += chunk.length;
        await this.quota.check(repository, received, digest);
        hash.update(chunk);
        await ingest.append(chunk);
      };
      const size = await receiveBody(body, limits, take, signal);
      if (!digest.matches(hash)) return undefined;
      return await this.quota.within(repository, digest, size, async () => {
        await this.contents.take(digest);
        await this.content.commit(ingest, digest);
        return this.add(repository, digest, size);
      });
    } finally {
      // Does nothing after a commit.
      await ingest.abort();
      await ingest.close();
    }
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

/** The error of a session that has ended with it. */
function ended(error: unknown): unknown {
  const response = toResponseError(error, 'BLOB_UNKNOWN');
  return response instanceof OciError ? new SessionEnded(response) : error;
}
