import { Logger } from '@nestjs/common';
import { createHash, type Hash } from 'node:crypto';
import type { Digest, DigestAlgorithm } from '../../../oci/digest.js';
import { MeteredIngest } from '../../space/metered.ingest.js';
import type { SpaceLedger } from '../../space/space.ledger.js';
import { StorageError } from '../../storage-error.js';
import type { ResumableIngest, Taken } from '../../storage.provider.js';
import type { ContentStore } from '../content.store.js';
import type { EmptySessions, UnrecordedSession } from './empty.sessions.js';
import type { UploadFields, UploadRecords } from './upload.records.js';
import { emptyCheckpoint, UploadLost, type UploadSession, type UseContent } from './upload.session.js';

/** Milliseconds after which a slow upload is recorded anew, so that its age counts from its last byte. */
const recordInterval = 3_600_000;

export interface UploadContext {
  readonly records: UploadRecords;
  readonly contents: ContentStore;
  readonly space: SpaceLedger;
  /** Whether a commit makes content of the bytes that a paused record names. */
  readonly movesBytes: boolean;
  /** Undefined where other processes write the storage, too. */
  readonly empty?: EmptySessions | undefined;
}

/** A session as long as this process has it. */
export class ClaimedUpload implements UploadSession, UnrecordedSession {
  private readonly logger = new Logger('Uploads');
  private readonly metered: MeteredIngest;
  /** Of everything appended, by algorithm; empty when earlier bytes came to another process. */
  private readonly hashes = new Map<DigestAlgorithm, Hash>();
  /** Whether the record says that nothing is being appended. */
  private isPaused = true;
  private recordedSize: number;
  private recordedAs: string | undefined;
  private recordedAt = performance.now();
  private state: 'held' | 'broken' | 'lost' | 'ended' = 'held';
  private verified: string | undefined;
  private persisting: Promise<void> | undefined;

  /**
   * @param id,epoch its record.
   * @param url what its URL says instead, as long as there is none.
   * @throws StorageError `full` when the quota has no room for the bytes of the session
   */
  constructor(
    readonly id: string,
    readonly epoch: number,
    private readonly fields: Omit<UploadFields, 'size' | 'checkpoint'>,
    private readonly ingest: ResumableIngest,
    private readonly context: UploadContext,
    private url?: string,
  ) {
    this.metered = new MeteredIngest(ingest, context.space);
    this.verified = fields.committing;
    this.recordedSize = ingest.size;
    if (ingest.size > 0) return;
    for (const algorithm of new Set<DigestAlgorithm>(['sha256', fields.algorithm ?? 'sha256'])) {
      this.hashes.set(algorithm, createHash(algorithm));
    }
  }

  get repository(): string {
    return this.fields.repository;
  }

  get size(): number {
    return this.ingest.size;
  }

  get startedAt(): number {
    return this.fields.startedAt;
  }

  get startedBy(): string | undefined {
    return this.fields.startedBy;
  }

  get algorithm(): DigestAlgorithm | undefined {
    return this.fields.algorithm;
  }

  get committing(): string | undefined {
    return this.verified;
  }

  get begun(): string | undefined {
    return this.url;
  }

  async prepare(): Promise<void> {
    this.check();
    this.verified = undefined;
    // Whoever claims the session from now on copies its bytes, since they may be followed by others.
    if (this.isPaused && this.size > 0) await this.record(false);
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.check();
    if (chunk.length === 0) return;
    await this.prepare();
    this.isPaused = false;
    try {
      await this.metered.append(chunk);
    } catch (error) {
      this.state = 'broken';
      throw error;
    }
    this.hash(chunk);
    if (this.isOutdated) await this.checkpoint();
  }

  appendNow(chunk: Uint8Array): Taken {
    if (this.state !== 'held' || this.isPaused || this.isOutdated) return { bytes: 0 };
    try {
      const taken = this.metered.appendNow(chunk);
      this.hash(taken.bytes === chunk.length ? chunk : chunk.subarray(0, taken.bytes));
      return taken;
    } catch (error) {
      this.state = 'broken';
      throw error;
    }
  }

  async checkpoint(): Promise<void> {
    this.check();
    if (this.isPaused && this.recordedSize === this.size) return;
    await this.record(true);
  }

  /** Records the session. @throws UploadLost when it is not this process's any more; StorageError */
  async record(isPaused: boolean): Promise<void> {
    const { size } = this;
    try {
      this.recordedAs = await this.write(this.ingest.checkpoint(isPaused));
    } catch (error) {
      this.state = error instanceof UploadLost ? 'lost' : 'broken';
      await this.metered.close();
      throw error;
    }
    this.recordedSize = size;
    this.recordedAt = performance.now();
    this.isPaused = isPaused;
  }

  async assertHeld(): Promise<void> {
    const { records } = this.context;
    if (this.url === undefined) await records.assertHeld(this.id, this.epoch);
    else if (await records.has(this.id, this.epoch)) throw new UploadLost();
  }

  async commit(digest: Digest, use?: UseContent): Promise<number | undefined> {
    this.check();
    const { size } = this;
    const content = { isStored: false };
    try {
      if (!(await this.verify(digest, size))) return undefined;
      const stored = this.store(digest, size).then(() => void (content.isStored = true));
      // What fails first may leave the other running, which needs the session.
      const [storing, using] = await Promise.allSettled([stored, use?.(size, stored)]);
      if (storing.status === 'rejected') throw storing.reason;
      if (using.status === 'rejected') throw using.reason;
      return size;
    } catch (error) {
      // The record stays: it proves the digest to whoever claims the session.
      if (content.isStored || error instanceof UploadLost) this.state = 'lost';
      throw error;
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (this.state === 'ended') return;
    const isOurs = this.state !== 'lost';
    this.state = 'ended';
    // After a commit this changes nothing.
    if (isOurs) await this.ingest.abort();
    await this.metered.close();
    const isRecorded = this.url === undefined;
    this.endUrl();
    try {
      if (isOurs && isRecorded) await this.context.records.removeAll(this.id, this.epoch);
    } catch (error) {
      // Its bytes are gone, so that it cannot be claimed; the sweep removes the record.
      this.logger.warn(`cannot remove the record of an upload: ${messageOf(error)}`);
    }
  }

  async release(): Promise<void> {
    if (this.state === 'ended') return;
    const wasLost = this.state === 'lost';
    try {
      if (this.state === 'held') await this.checkpoint();
      if (!wasLost) await this.persist();
    } catch (error) {
      if (!(error instanceof UploadLost)) this.logger.warn(`cannot record an upload: ${messageOf(error)}`);
    }
    this.state = 'lost';
    this.endUrl();
    await this.metered.close();
  }

  persist(): Promise<void> {
    if (this.url === undefined) return Promise.resolve();
    return (this.persisting ??= this.create({ ...this.fields, size: 0, checkpoint: emptyCheckpoint }));
  }

  private get isOutdated(): boolean {
    return performance.now() - this.recordedAt > recordInterval;
  }

  private hash(bytes: Uint8Array): void {
    for (const hash of this.hashes.values()) hash.update(bytes);
  }

  private check(): void {
    if (this.state === 'broken') throw new StorageError('failed', 'the upload cannot go on in this process');
    if (this.state !== 'held') throw new UploadLost();
  }

  /** @returns the checkpoint */
  private async write(checkpoint: Promise<string>): Promise<string> {
    const { records } = this.context;
    const { size, verified } = this;
    const isNew = this.url !== undefined;
    const [text, isThere] = await Promise.all([checkpoint, isNew || records.has(this.id, this.epoch)]);
    if (!isThere) throw new UploadLost();
    const fields = { ...this.fields, size, committing: verified, checkpoint: text };
    if (isNew) await this.create(fields);
    else await records.write(this.id, this.epoch, fields);
    // Whoever claims it reads this record after creating the next one, so one of the two sees the other.
    await this.checkHeld();
    return text;
  }

  /** Writes its first record. @throws UploadLost when another process has done that; StorageError */
  private async create(fields: UploadFields): Promise<void> {
    if (!(await this.context.records.create(this.id, this.epoch, fields))) throw new UploadLost();
    this.endUrl();
  }

  private endUrl(): void {
    this.url = undefined;
    this.context.empty?.remove(this.id);
  }

  /** Records that the bytes have the digest. @returns false when they do not. @throws UploadLost, StorageError */
  private async verify(digest: Digest, size: number): Promise<boolean> {
    let isVerified = false;
    await this.orElsewhere(digest, size, async () => {
      const current = this.isPaused && !this.context.movesBytes ? this.recordedAs : undefined;
      const checkpoint = current ?? (await this.ingest.checkpoint());
      isVerified = await this.matches(digest);
      if (!isVerified) return;
      this.verified = digest.toString();
      // Whoever claims the session from now on copies its bytes, or finds them as content.
      await this.write(Promise.resolve(checkpoint));
    });
    return isVerified;
  }

  /** @throws UploadLost, StorageError */
  private store(digest: Digest, size: number): Promise<void> {
    return this.orElsewhere(digest, size, () => this.context.contents.commit(this.metered, digest));
  }

  /** Does a part of a commit, which another process may have done that has claimed the session since. */
  private async orElsewhere(digest: Digest, size: number, part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      if (error instanceof UploadLost) throw error;
      // A process that has claimed the session since may have committed the same bytes, and have removed these.
      const found = await this.context.contents.findSize(digest).catch(() => undefined);
      if (this.verified === digest.toString() && found === size) return;
      const lost = await this.assertHeld().catch((failure: unknown) => failure);
      throw lost instanceof UploadLost ? lost : error;
    }
  }

  private async checkHeld(): Promise<void> {
    if (await this.context.records.has(this.id, this.epoch + 1)) throw new UploadLost();
  }

  /** Hashes the stored bytes when they did not all pass through here. */
  private async matches(digest: Digest): Promise<boolean> {
    const known = this.hashes.get(digest.algorithm);
    if (known) return digest.matches(known);
    const hash = digest.hasher();
    await this.ingest.copy({ offset: 0, length: this.size }, (chunk) => {
      hash.update(chunk);
      return Promise.resolve();
    });
    return digest.matches(hash);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
