import type { OnModuleDestroy } from '@nestjs/common';
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Digest, type DigestAlgorithm } from '../../oci/digest.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { isIngestId } from '../keys.js';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { SpaceLedger } from '../space/space.ledger.js';
import { StorageError } from '../storage-error.js';
import type { ResumableIngest, ResumableIngests, StorageProvider } from '../storage.provider.js';
import { ContentStore } from './content.store.js';
import { ClaimedUpload, type UploadContext } from './uploads/claimed.upload.js';
import { CommittedUpload } from './uploads/committed.upload.js';
import type { EmptySessions } from './uploads/empty.sessions.js';
import { ProcessIngests } from './uploads/process.ingests.js';
import { UploadRecords, type NewestUpload, type UploadFields } from './uploads/upload.records.js';
import { emptyCheckpoint, UploadLost, type UploadRecord, type UploadSession } from './uploads/upload.session.js';

export { UploadLost, type UploadRecord, type UploadSession } from './uploads/upload.session.js';

/** Tries to create the next epoch of a session that other processes claim at the same moment. */
const maxClaims = 8;
/** Most milliseconds between two tries. */
const claimDelay = 100;

/**
 * Upload sessions. Any process can claim one, which takes it away from the process that had it: each claim creates the
 * record of the next epoch, and a process records nothing, and commits nothing, once there is a later epoch than its own.
 * Without resumable ingests, sessions are in the memory of this process and end with it.
 */
export class UploadStore implements OnModuleDestroy {
  private readonly context: UploadContext;
  private readonly ingests: ResumableIngests;
  private readonly ownIngests: ProcessIngests | undefined;

  /** @param empty for the only process that writes the storage. */
  constructor(
    provider: StorageProvider,
    contents = new ContentStore(provider),
    space = new SpaceLedger(),
    private readonly empty?: EmptySessions,
  ) {
    this.ownIngests = provider.resumable ? undefined : new ProcessIngests(provider);
    this.ingests = provider.resumable ?? (this.ownIngests as ResumableIngests);
    const records = new UploadRecords(this.ownIngests ? new MemoryProvider() : provider);
    this.context = { records, contents, space, movesBytes: this.ingests.commitsCopy !== true, empty };
  }

  /** Bytes that a request should at least append; undefined when it does not matter. */
  get minChunk(): number | undefined {
    return this.ingests.minChunk;
  }

  /** @throws StorageError, `full` when the quota is exhausted */
  async begin(
    repository: RepositoryRef,
    { algorithm, startedBy }: { algorithm?: DigestAlgorithm | undefined; startedBy?: string | undefined } = {},
  ): Promise<UploadSession> {
    this.context.space.check();
    const id = randomBytes(16).toString('hex');
    const fields = { repository: repository.toString(), startedAt: Date.now(), startedBy, algorithm };
    const begun = await this.empty?.begunOf(id, fields);
    const ingest = await this.ingests.begin(id);
    if (this.empty && begun !== undefined) {
      const session = new ClaimedUpload(id, 1, fields, ingest, this.context, begun);
      this.empty.add(id, fields, session);
      return session;
    }
    try {
      const checkpoint = await ingest.checkpoint(true);
      // Nobody else can have the id yet.
      await this.context.records.write(id, 1, { ...fields, size: 0, checkpoint });
      return new ClaimedUpload(id, 1, fields, ingest, this.context);
    } catch (error) {
      await ingest.close();
      throw error;
    }
  }

  /** @param epoch the newest that is known; older ones work too. */
  async find(id: string, epoch = 0): Promise<UploadRecord | undefined> {
    const unrecorded = this.empty?.find(id);
    if (unrecorded) return { ...unrecorded.fields, id, epoch: 1, size: 0, begun: unrecorded.session.begun };
    const newest = isIngestId(id) ? await this.context.records.findNewest(id, epoch) : undefined;
    if (!newest) return undefined;
    const { repository, size, startedAt, startedBy, algorithm, committing } = newest.fields;
    return { id, epoch: newest.epoch, repository, size, startedAt, startedBy, algorithm, committing };
  }

  /**
   * Takes a session over from whatever process had it; of two that claim it, the later one gets it. Undefined when there is
   * none. @param epoch as for `find`. @param isWanted other sessions stay where they are.
   * @throws StorageError `failed` when another process has claimed it meanwhile
   */
  async claim(
    id: string,
    epoch = 0,
    isWanted: (fields: Pick<UploadRecord, 'repository' | 'startedBy'>) => boolean = () => true,
  ): Promise<UploadSession | undefined> {
    if (!isIngestId(id)) return undefined;
    await this.empty?.find(id)?.session.persist();
    const { records } = this.context;
    for (let claims = 0; claims < maxClaims; claims += 1) {
      const newest = await records.findNewest(id, claims === 0 ? epoch : 0);
      if (!newest || !isWanted(newest.fields)) return undefined;
      if (!(await records.create(id, newest.epoch + 1, { claims: newest.epoch }))) {
        await delay(randomInt(1, claimDelay));
        continue;
      }
      try {
        return await this.complete(id, newest);
      } catch (error) {
        // Another try would take it from a process that is busy taking it over, and both would never end.
        if (error instanceof UploadLost) throw claimedElsewhere(error);
        if (StorageError.isNotFound(error)) return this.forget(id, newest.epoch + 1);
        // Its predecessor's record is still valid.
        await records.remove(id, newest.epoch + 1).catch(() => undefined);
        throw error;
      }
    }
    throw claimedElsewhere();
  }

  /** The process ends, and has let go of its sessions. @throws StorageError */
  async end(): Promise<void> {
    await this.empty?.end();
  }

  /** Restores a session without a byte that an earlier process had. @param begun what its URL says */
  async restore(
    id: string,
    begun: string | undefined,
    owner: Pick<UploadFields, 'repository' | 'startedBy'>,
  ): Promise<void> {
    if (begun === undefined || !isIngestId(id)) return;
    const { records } = this.context;
    await this.empty?.restore(id, begun, owner, async (fields) => {
      if ((await records.epochsOf(id)).length > 0) return;
      await records.create(id, 1, { ...fields, size: 0, checkpoint: emptyCheckpoint });
    });
  }

  /** Ends a session without claiming it, which a full disk does not allow. */
  async discard(id: string, epoch = 0): Promise<void> {
    const { records } = this.context;
    const newest = isIngestId(id) ? await records.findNewest(id, epoch) : undefined;
    if (!newest) return;
    await this.ingests.discard(id, newest.fields.checkpoint);
    await records.removeAll(id);
  }

  /** Ends sessions without a byte for `age` milliseconds; returns how many. */
  async sweep(age: number): Promise<number> {
    const { records } = this.context;
    const oldest = Date.now() - age;
    let swept = 0;
    for await (const { id, usedAt } of records.list()) {
      if (usedAt >= oldest) continue;
      const epoch = Math.max(0, ...(await records.epochsOf(id)));
      const fields = epoch === 0 ? undefined : await records.find(id, epoch);
      // Keeps it from whatever process still has it, and leaves it to one that claims it now.
      if (!(await records.create(id, epoch + 1, { claims: epoch }))) continue;
      await this.ingests.discard(id, fields?.checkpoint ?? emptyCheckpoint);
      await records.removeAll(id);
      swept += 1;
    }
    const isKept = async (id: string) => (await records.epochsOf(id)).length > 0;
    return swept + (await this.ingests.sweep(age, isKept));
  }

  async onModuleDestroy(): Promise<void> {
    await this.ownIngests?.close();
  }

  /** Resumes from what the predecessor has recorded last; it can record nothing more that counts. */
  private async complete(id: string, { epoch }: NewestUpload): Promise<UploadSession> {
    const fields = await this.context.records.find(id, epoch);
    if (!fields) throw new StorageError('not-found', 'the record of the upload has been removed');
    const session = await this.resume(id, epoch + 1, fields);
    await session.record(true);
    await this.context.records.prune(id, epoch + 1);
    return session;
  }

  private async resume(id: string, epoch: number, fields: UploadFields): Promise<ClaimedUpload | CommittedUpload> {
    const committed = await this.findCommitted(id, epoch, fields);
    if (committed) return committed;
    try {
      return await this.sessionOf(id, epoch, fields, await this.ingests.resume(id, fields.checkpoint));
    } catch (error) {
      // The process that had the session may have made content of its bytes meanwhile.
      const late = await this.findCommitted(id, epoch, fields);
      if (late) return late;
      throw error;
    }
  }

  /** The session when its bytes are stored as content. */
  private async findCommitted(id: string, epoch: number, fields: UploadFields): Promise<CommittedUpload | undefined> {
    if (!(await this.isCommitted(fields))) return undefined;
    const discard = () => this.ingests.discard(id, fields.checkpoint);
    return new CommittedUpload(id, epoch, fields, this.context, discard);
  }

  /** Whether the bytes of a session are stored as the content that it was committing. */
  async isCommitted({ committing = '', size }: Pick<UploadRecord, 'committing' | 'size'>): Promise<boolean> {
    const digest = Digest.find(committing);
    return digest !== undefined && (await this.context.contents.findSize(digest)) === size;
  }

  private async sessionOf(
    id: string,
    epoch: number,
    { size, checkpoint, ...fields }: UploadFields,
    ingest: ResumableIngest,
  ): Promise<ClaimedUpload> {
    try {
      if (ingest.size !== size) throw new StorageError('not-found', `${checkpoint} is not of ${size} bytes`);
      return new ClaimedUpload(id, epoch, fields, ingest, this.context);
    } catch (error) {
      await ingest.close();
      throw error;
    }
  }

  /** Ends a session whose bytes are gone, unless another process has claimed it since and knows better. */
  private async forget(id: string, epoch: number): Promise<undefined> {
    const { records } = this.context;
    if (await records.has(id, epoch + 1)) return;
    const fields = await records.find(id, epoch);
    await this.ingests.discard(id, fields?.checkpoint ?? emptyCheckpoint);
    await records.removeAll(id);
  }
}

function claimedElsewhere(cause = new UploadLost()): StorageError {
  return new StorageError('failed', 'another process has claimed the upload', cause);
}
