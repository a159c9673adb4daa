import type { Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ByteRange } from '../../../oci/byte-range.js';
import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { blockSize } from '../../../storage/reading/shared-blocks.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { ChunkSink, Ingest } from '../../../storage/storage.provider.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { receive, skipSamePrefix } from './receive.js';
import { DownloadBuffer, type BufferReader } from './download.buffer.js';

/**
 * Bytes at the end that no client gets before the whole has been verified: without them a wrong body is never complete
 * (P2). Smaller content is verified before its first byte is sent.
 */
export const heldBack = 64 * 1024;
/**
 * Milliseconds until followers hear of bytes that do not fill a block: 5, and more the more of them there are. To wake a
 * thousand for each packet takes longer than its bytes are worth, and a block is sent to all of them in one write each.
 */
const announceDelay = (followers: number): number => Math.min(200, 5 + followers / 5);
/** A body is resumed this often after cuts, and this often in a row without a byte of progress. */
const maxResumes = 5;
const maxIdleResumes = 2;
/** Milliseconds before a resume that follows one without progress. */
const resumeDelay = 250;
/** Milliseconds that a body may stand still because the upstream asked to be left alone; a client has begun to read it. */
const longestPause = 5_000;

/** Opens the blob at the upstream, from its start or from where a cut left it. */
export type BlobSource = (from?: { offset: number; entityTag: string | undefined }) => Promise<BlobBody>;

/**
 * One blob on its way from the upstream. It belongs to the process, not to a request: it goes on when clients leave,
 * and any number of them follow it at their own speed from any moment.
 */
export class Download {
  private readonly repositories = new Map<string, RepositoryRef>();
  private readonly waiting = new Set<() => void>();
  private buffer: DownloadBuffer | undefined;
  private ingest: Ingest | undefined;
  private hash: Hash;
  private hasServed = false;
  private body: IncomingMessage | undefined;
  private total: number | undefined;
  /** Where each follower is, from the moment it came: a full disk must not forget those who still wait. */
  private readonly readers = new Set<BufferReader>();
  /** Bytes that followers have heard of. */
  private announced = 0;
  private announcement: NodeJS.Timeout | undefined;
  private failure = new Error('the download failed');
  private state: 'asking' | 'receiving' | 'verified' | 'failed' = 'asking';
  private isOver = false;

  constructor(
    readonly digest: Digest,
    /** The one under whose credentials it is fetched. */
    readonly repository: RepositoryRef,
    private readonly source: BlobSource,
    private readonly createIngest: (size: number | undefined) => Promise<Ingest>,
  ) {
    this.hash = digest.hasher();
    this.admit(repository);
  }

  /** Size of the blob in bytes; undefined while, or when, the upstream has not said it. */
  get size(): number | undefined {
    return this.total;
  }

  get received(): number {
    return this.buffer?.size ?? 0;
  }

  /** Clients that are being sent it, or wait for it. */
  get followers(): number {
    return this.readers.size;
  }

  /** Repositories that may have it: the one it was begun for, and those whose upstream has agreed since. */
  get admitted(): Iterable<RepositoryRef> {
    return this.repositories.values();
  }

  isFor(repository: RepositoryRef): boolean {
    return this.repositories.has(repository.toString());
  }

  admit(repository: RepositoryRef): void {
    this.repositories.set(repository.toString(), repository);
  }

  /** Whether somebody who comes now can have it from the first byte. */
  get isJoinable(): boolean {
    return this.state !== 'failed' && (this.buffer?.isWhole ?? true);
  }

  /** The verified content, for committing; undefined when the storage did not take all of it. */
  get verified(): Ingest | undefined {
    return this.state === 'verified' && this.buffer?.storageFailure === undefined ? this.ingest : undefined;
  }

  get storageFailure(): StorageError | undefined {
    return this.buffer?.storageFailure;
  }

  /**
   * Receives the whole blob and verifies it.
   * @throws what ended it; everybody who follows gets the same.
   */
  async run(): Promise<void> {
    try {
      const first = await this.source();
      this.total = first.size;
      const ingest = await this.openIngest(first);
      this.buffer = new DownloadBuffer(ingest, this.readers);
      if (!(ingest instanceof StorageError)) this.ingest = ingest;
      this.enter('receiving');
      await this.receiveAll(this.buffer, first);
      this.verify();
      this.enter('verified');
    } catch (error) {
      if (error instanceof Error && this.state !== 'failed') this.failure = error;
      this.enter('failed');
      throw error;
    } finally {
      clearTimeout(this.announcement);
    }
  }

  /** Ends the download's own use of its file; the last follower closes it. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.closeWhenUnused();
  }

  /** Ends it early, at shutdown. */
  abort(error: Error): void {
    if (this.state !== 'failed') this.failure = error;
    this.enter('failed');
    this.body?.destroy();
  }

  follow(): Follower {
    const reader = { position: 0 };
    this.readers.add(reader);
    return new Follower(this, reader);
  }

  async leave(reader: BufferReader): Promise<void> {
    this.readers.delete(reader);
    this.buffer?.trim();
    await this.closeWhenUnused();
  }

  /** Resolves when a follower can begin: the upstream answered, and small content has been verified or takes too long. */
  async ready(patience: number): Promise<void> {
    await this.until(() => this.state !== 'asking');
    if ((this.total ?? Infinity) > heldBack) return;
    const impatience = { isOver: false };
    const timer = setTimeout(() => {
      impatience.isOver = true;
      this.wake();
    }, patience);
    await this.until(() => this.state === 'verified' || impatience.isOver).finally(() => clearTimeout(timer));
  }

  /** Sends the range to the sink as it arrives, and never the last bytes before they are verified. */
  async copy(reader: BufferReader, range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    const { buffer } = this;
    if (!buffer) throw new Error('a download was read before it was ready');
    const wake = () => this.wake();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      buffer.advance(reader, range.offset);
      for (let position = range.offset; position < range.offset + range.length;) {
        await this.until(() => this.released > position || this.state === 'verified', signal);
        const length = Math.min(this.released, range.offset + range.length) - position;
        if (length <= 0) {
          // Only a blob of unknown size ends before the range does; otherwise the download has begun again.
          if (this.state === 'verified') return;
          continue;
        }
        this.hasServed = true;
        await buffer.copy(reader, { offset: position, length }, sink, signal);
        position += length;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  }

  private get released(): number {
    if (this.state === 'verified') return this.received;
    return Math.max(0, Math.min(this.announced, (this.total ?? this.announced) - heldBack));
  }

  /** Tells followers of each block when it is full, of the first bytes at once, and of others after a short while. */
  private announce(): void {
    const { received } = this;
    const full = received - (received % blockSize);
    if (this.announced === 0 || full > this.announced) this.announceTo(full || received);
    if (received === this.announced) return;
    this.announcement ??= setTimeout(() => this.announceTo(this.received), announceDelay(this.readers.size));
  }

  private announceTo(received: number): void {
    clearTimeout(this.announcement);
    this.announcement = undefined;
    this.announced = received;
    this.wake();
  }

  private async receiveAll(buffer: DownloadBuffer, first: BlobBody): Promise<void> {
    let body: BlobBody | UpstreamError = first;
    let { entityTag } = first;
    let idle = 0;
    for (let resumes = 0; ; resumes += 1) {
      const before = buffer.size;
      const cut = body instanceof UpstreamError ? body : await this.receiveOne(buffer, body);
      if (!cut && (this.total === undefined || buffer.size === this.total)) return;
      idle = buffer.size > before ? 0 : idle + 1;
      if (resumes === maxResumes || idle > maxIdleResumes)
        throw cut ?? new UpstreamError('wrong', `${first.host} sent too few bytes`);
      if (idle > 0) await new Promise((resolve) => setTimeout(resolve, pauseBefore(idle, cut)));
      if (this.state === 'failed') throw this.failure;
      body = await this.resume(buffer, entityTag);
      if (!(body instanceof UpstreamError)) entityTag = body.entityTag ?? entityTag;
    }
  }

  private receiveOne(buffer: DownloadBuffer, { body, host, counts }: BlobBody): Promise<UpstreamError | undefined> {
    this.body = body;
    return receive(body, host, (chunk) => {
      counts.received += chunk.length;
      return this.take(buffer, chunk);
    });
  }

  private async take(buffer: DownloadBuffer, chunk: Buffer): Promise<void> {
    if (this.state === 'failed') throw this.failure;
    if (this.total !== undefined && buffer.size + chunk.length > this.total)
      throw new UpstreamError('wrong', 'the upstream sent too many bytes');
    // The storage writes while this thread hashes.
    const written = buffer.append(chunk);
    this.hash.update(chunk);
    await written;
    this.announce();
  }

  /** An error when the upstream cannot go on just now, which counts as a try without progress. */
  private async resume(buffer: DownloadBuffer, entityTag: string | undefined): Promise<BlobBody | UpstreamError> {
    try {
      return (await this.goOn(buffer, entityTag)) ?? (await this.startOver(buffer));
    } catch (error) {
      if (error instanceof UpstreamError && !error.isDefinitive && error.kind !== 'wrong') return error;
      throw error;
    }
  }

  /** The rest; undefined when the upstream answers with something else. */
  private async goOn(buffer: DownloadBuffer, entityTag: string | undefined): Promise<BlobBody | undefined> {
    try {
      const body = await this.source({ offset: buffer.size, entityTag });
      if (await this.continues(body, buffer)) return body;
      body.body.destroy();
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.kind !== 'wrong') throw error;
    }
    return undefined;
  }

  /**
   * Asks for the whole when the rest was answered with something else: it goes on where we are when it begins with the
   * bytes we have, and from its first byte when nobody has been sent any.
   */
  private async startOver(buffer: DownloadBuffer): Promise<BlobBody> {
    const body = await this.source();
    if (await this.continues(body, buffer)) return body;
    body.body.destroy();
    const changed = new UpstreamError('wrong', `${body.host} has changed its content during the download`);
    if (this.isServed()) throw changed;
    const again = await this.source();
    const ingest = await this.openIngest(again);
    // Somebody may have come and been sent bytes meanwhile; from here to the new beginning nothing is awaited.
    const isPossible = !this.isServed() && again.size === this.total;
    const old = this.ingest;
    if (isPossible) {
      this.ingest = ingest instanceof StorageError ? undefined : ingest;
      this.hash = this.digest.hasher();
      buffer.restart(ingest);
      this.announced = 0;
    } else again.body.destroy();
    const unused = isPossible ? old : ingest;
    if (unused !== undefined && !(unused instanceof StorageError)) {
      await unused.abort();
      await unused.close();
    }
    if (!isPossible) throw changed;
    return again;
  }

  /** Whether a client has been sent bytes. It may change whenever something is awaited. */
  private isServed(): boolean {
    return this.hasServed;
  }

  /** A storage that cannot take it is no reason not to pass it on. */
  private async openIngest({ body, size }: BlobBody): Promise<Ingest | StorageError> {
    try {
      return await this.createIngest(size);
    } catch (error) {
      if (error instanceof StorageError) return error;
      body.destroy();
      throw error;
    }
  }

  /** Whether the body, of which the bytes that we have are read, goes on where we are. */
  private async continues(body: BlobBody, buffer: DownloadBuffer): Promise<boolean> {
    if (body.size !== undefined && this.total !== undefined && body.size !== this.total) return false;
    return body.offset === buffer.size || skipSamePrefix(body, buffer.size, this.digest, this.hash);
  }

  private verify(): void {
    if (this.digest.matches(this.hash)) return;
    throw new UpstreamError('wrong', `the upstream's content does not have the digest ${this.digest.toString()}`);
  }

  private enter(state: 'receiving' | 'verified' | 'failed'): void {
    if (this.state === 'failed') return;
    this.state = state;
    this.wake();
  }

  /** @throws the download's failure, or the signal's reason. */
  private async until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.state === 'failed') throw this.failure;
      if (condition()) return;
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  private wake(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }

  private async closeWhenUnused(): Promise<void> {
    if (!this.isOver || this.readers.size > 0) return;
    await this.ingest?.abort();
    await this.ingest?.close();
  }
}

/** Milliseconds before a resume: to ask before the upstream may be asked would only be a try lost. */
function pauseBefore(idle: number, cut: UpstreamError | undefined): number {
  const asked = (cut?.retryAfter ?? 0) * 1000;
  return Math.max(resumeDelay * idle, asked <= longestPause ? asked : 0);
}

/** One client's hold on a download. */
export class Follower {
  private left: Promise<void> | undefined;

  constructor(
    private readonly download: Download,
    private readonly reader: BufferReader,
  ) {}

  get size(): number | undefined {
    return this.download.size;
  }

  get digest(): Digest {
    return this.download.digest;
  }

  /** Waits until there is something to begin with; small content is awaited whole for up to `patience` milliseconds. */
  ready(patience: number): Promise<void> {
    return this.download.ready(patience);
  }

  async copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> {
    await this.download.copy(this.reader, range, sink, signal);
  }

  close(): Promise<void> {
    return (this.left ??= this.download.leave(this.reader));
  }
}
