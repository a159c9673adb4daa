import { Injectable } from '@nestjs/common';
import { ServerSettings } from '../../../config/server.settings.js';
import type { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { Ingest } from '../../../storage/storage.provider.js';
import { ContentStore } from '../../../storage/stores/content.store.js';
import { UploadLost, type UploadSession } from '../../../storage/stores/upload.store.js';
import type { ChunkRange, PushBody } from '../../push.js';
import { toResponseError } from '../../response-error.js';
import { HostedBlobsService } from '../hosted-blobs.service.js';
import { ContentLock } from '../locks/content.lock.js';
import { OpenSessions, SessionEnded } from '../open.sessions.js';
import { QuotaService } from '../quota/quota.service.js';
import { receiveBody } from '../receive-body.js';
import { AcknowledgedUploads } from './acknowledged.uploads.js';

/** Bytes after which a session records where it stands. */
const checkpointBytes = 64 * 1024 * 1024;

/** Receives the bodies of uploads, into their sessions or at once where the content belongs. */
@Injectable()
export class UploadBodies {
  constructor(
    private readonly sessions: OpenSessions,
    private readonly blobs: HostedBlobsService,
    private readonly content: ContentStore,
    private readonly quota: QuotaService,
    private readonly acknowledged: AcknowledgedUploads,
    private readonly contents: ContentLock,
    private readonly settings: ServerSettings,
  ) {}

  /** What a client has sent before it left stays, so that it can go on there. */
  async receive(
    session: UploadSession,
    range: ChunkRange | undefined,
    body: PushBody,
    admit: (size: number) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (body.length !== 0) await this.sessions.assertNewest(session, () => session.prepare());
    await admit(session.size + (body.length ?? 0));
    const limits = { range, before: session.size, most: this.settings.maxBlobSize };
    let saved = session.size;
    const append = async (chunk: Uint8Array) => {
      await session.append(chunk);
      if (session.size - saved < checkpointBytes) return;
      saved = session.size;
      await session.checkpoint();
    };
    const take = (chunk: Uint8Array) =>
      session.size + chunk.length - saved < checkpointBytes ? appendNow(session, chunk) : append(chunk);
    const takeAdmitted = (chunk: Uint8Array) => admitted(admit(session.size + chunk.length), () => take(chunk));
    try {
      await receiveBody(body, limits, takeAdmitted, signal);
    } catch (error) {
      if (!(error instanceof UploadLost) && !(error instanceof StorageError)) await session.checkpoint();
      throw error;
    }
    await session.checkpoint();
  }

  /** @returns undefined when the digest does not match. The session has ended then. */
  async receiveRest(
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
        return await session.commit(digest, (size, stored) => this.blobs.add(repository, digest, size, stored));
      } catch (error) {
        throw error instanceof UploadLost ? error : ended(error);
      }
    });
  }

  /** @returns undefined when the digest does not match */
  async receiveWhole(
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
      const take = (chunk: Uint8Array) => {
        received += chunk.length;
        return admitted(this.quota.check(repository, received, digest), () => {
          hash.update(chunk);
          return appendNow(ingest, chunk);
        });
      };
      const size = await receiveBody(body, limits, take, signal);
      if (!digest.matches(hash)) return undefined;
      return await this.quota.within(repository, digest, size, async () => {
        await this.contents.take(digest);
        await this.blobs.add(repository, digest, size, this.content.commit(ingest, digest));
        return size;
      });
    } finally {
      // Does nothing after a commit.
      await ingest.abort();
      await ingest.close();
    }
  }
}

/** Most chunks fit into a block of memory, for which nobody has to wait. */
function appendNow(target: Pick<Ingest, 'append' | 'appendNow'>, chunk: Uint8Array): Promise<void> | undefined {
  const { bytes, ready } = target.appendNow?.(chunk) ?? { bytes: 0 };
  return bytes === chunk.length ? ready : target.append(chunk.subarray(bytes));
}

/** Does something after what may have to be waited for. */
function admitted(
  waiting: Promise<void> | undefined,
  action: () => Promise<void> | undefined,
): Promise<void> | undefined {
  return waiting ? waiting.then(action) : action();
}

/** The error of a session that has ended with it. */
function ended(error: unknown): unknown {
  const response = toResponseError(error, 'BLOB_UNKNOWN');
  return response instanceof OciError ? new SessionEnded(response) : error;
}
