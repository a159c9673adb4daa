import type { IncomingMessage } from 'node:http';
import { hashHere } from '../../../config/hashing/content-hash.js';
import type { ByteRange } from '../../../oci/byte-range.js';
import type { Digest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { StorageError } from '../../../storage/storage-error.js';
import type { ChunkSink, Ingest } from '../../../storage/storage.provider.js';
import type { BlobBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import { Announcements } from './announcements.js';
import { DownloadHash, type StartHash } from './download.hash.js';
import { Follower } from './follower.js';
import { receive, skipSamePrefix } from './receive.js';
import { DownloadBuffer, type BufferReader } from './download.buffer.js';

/**
 * Bytes at the end that are withheld until the content has been verified, so that a wrong body is never complete (P2).
 * Smaller content is verified before its first byte is sent.
 */
export const heldBack = 64 * 1024;
/** Resumes per download, and consecutive resumes without a byte of progress. */
const maxResumes = 5;
const maxIdleResumes = 2;
/** Milliseconds before a resume that follows one without progress. */
const resumeDelay = 250;
/** Longest Retry-After, in milliseconds, that is honoured during a download, since clients are already reading. */
const longestPause = 5_000;

/** Opens the blob at the upstream, from its start or from where it was cut off. */
export type BlobSource = (from?: { offset: number; entityTag: string | undefined }) => Promise<BlobBody>;

/**
 * The download of one blob from its upstream. It belongs to the process, not to a request: it continues when clients
 * leave, and any number of clients follow it from any moment at their own speed.
 */
export class Download {
  private readonly repositories = new Map<string, RepositoryRef>();
  private readonly waiting = new Set<() => void>();
  private buffer: DownloadBuffer | undefined;
  private ingest: Ingest | undefined;
  private readonly hash: DownloadHash;
  private hasServed = false;
  private body: IncomingMessage | undefined;
  private total: number | undefined;
  /** Position of each follower, from its start: with a full disk, bytes are kept for followers that still wait. */
  private readonly readers = new Set<BufferReader>();
  private readonly announcements = new Announcements(this.readers, () => this.wake());
  private failure = new Error('the download failed');
  private state: 'asking' | 'receiving' | 'verified' | 'failed' = 'asking';
  private isOver = false;

  constructor(
    readonly digest: Digest,
    /** The repository under whose credentials it is fetched. */
    readonly repository: RepositoryRef,
    private readonly source: BlobSource,
    private readonly createIngest: (size: number | undefined) => Promise<Ingest>,
    private readonly maxSize = Infinity,
    startHash: StartHash = hashHere,
  ) {
    this.hash = new DownloadHash(digest, startHash);
    this.admit(repository);
  }

  /** Size of the blob in bytes; undefined while, or if, the upstream has not stated it. */
  get size(): number | undefined {
    return this.total;
  }

  get received(): number {
    return this.buffer?.size ?? 0;
  }

  /** Clients that receive it or wait for it. */
  get followers(): number {
    return this.readers.size;
  }

  /** Repositories that may receive it: the first one, and those for which the upstream has agreed since. */
  get admitted(): Iterable<RepositoryRef> {
    return this.repositories.values();
  }

  isFor(repository: RepositoryRef): boolean {
    return this.repositories.has(repository.toString());
  }

  admit(repository: RepositoryRef): void {
    this.repositories.set(repository.toString(), repository);
  }

  /** Whether a new follower can read it from the first byte. */
  get isJoinable(): boolean {
    return this.state !== 'failed' && (this.buffer?.isWhole ?? true);
  }

  /** The verified content to commit; undefined if the storage did not take all of it. */
  get verified(): Ingest | undefined {
    return this.state === 'verified' && this.buffer?.storageFailure === undefined ? this.ingest : undefined;
  }

  get storageFailure(): StorageError | undefined {
    return this.buffer?.storageFailure;
  }

  /**
   * Receives and verifies the whole blob.
   * @throws the failure that ended it; all followers get the same.
   */
  async run(): Promise<void> {
    try {
      const first = await this.source();
      if (this.hasFailed()) {
        first.body.destroy();
        throw this.failure;
      }
      if ((first.size ?? 0) > this.maxSize) {
        first.body.destroy();
        throw tooLarge();
      }
      this.total = first.size;
      this.hash.start(this.total);
      const ingest = await this.openIngest(first);
      this.buffer = new DownloadBuffer(ingest, this.readers);
      if (!(ingest instanceof StorageError)) this.ingest = ingest;
      this.enter('receiving');
      await this.receiveAll(this.buffer, first);
      await this.verify(this.buffer);
      if (this.hasFailed()) throw this.failure;
      this.enter('verified');
    } catch (error) {
      if (error instanceof Error && this.state !== 'failed') this.failure = error;
      this.enter('failed');
      throw error;
    } finally {
      this.announcements.stop();
      this.hash.end();
    }
  }

  /** Ends the download's own use of its file; the last follower closes the file. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.closeWhenUnused();
  }

  /** Ends it early, for example at shutdown. */
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

  /** Resolves when a follower can start: headers have arrived, and small content is verified or takes too long. */
  async ready(patience: number): Promise<void> {
    await this.until(() => this.state !== 'asking');
    if ((this.total ?? Infinity) > heldBack) return;
    const waiting = { isOver: false };
    const timer = setTimeout(() => {
      waiting.isOver = true;
      this.wake();
    }, patience);
    await this.until(() => this.state === 'verified' || waiting.isOver).finally(() => clearTimeout(timer));
  }

  /** Sends the range to the sink as it arrives; the last bytes only after verification. */
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
          // Only a blob of unknown size ends before the range; otherwise the download has restarted.
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
    const { announced } = this.announcements;
    return Math.max(0, Math.min(announced, (this.total ?? announced) - heldBack));
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

  private take(buffer: DownloadBuffer, chunk: Buffer): Promise<void> | undefined {
    if (this.state === 'failed') throw this.failure;
    if (this.total !== undefined && buffer.size + chunk.length > this.total)
      throw new UpstreamError('wrong', 'the upstream sent too many bytes');
    if (buffer.size + chunk.length > this.maxSize) throw tooLarge();
    const { bytes, ready } = buffer.appendNow(chunk);
    // The storage writes the other bytes while they are hashed. The chunk is only valid during this call.
    const written = bytes < chunk.length ? buffer.append(Buffer.from(chunk.subarray(bytes))) : undefined;
    const hashed = this.hash.update(chunk);
    if (written) return written.then(() => this.announcements.note(buffer.size)).then(() => hashed);
    this.announcements.note(buffer.size);
    return ready && hashed ? ready.then(() => hashed) : (ready ?? hashed);
  }

  /** Returns an error when the upstream is unavailable, which counts as an attempt without progress. */
  private async resume(buffer: DownloadBuffer, entityTag: string | undefined): Promise<BlobBody | UpstreamError> {
    try {
      return (await this.openRest(buffer, entityTag)) ?? (await this.startOver(buffer));
    } catch (error) {
      if (error instanceof UpstreamError && !error.isDefinitive && error.kind !== 'wrong') return error;
      throw error;
    }
  }

  /** The rest; undefined if the upstream responds with something else. */
  private async openRest(buffer: DownloadBuffer, entityTag: string | undefined): Promise<BlobBody | undefined> {
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
   * Requests the whole blob when the rest was not available. The download continues if the body starts with the bytes
   * received so far, and restarts from the first byte if no client has been sent any.
   */
  private async startOver(buffer: DownloadBuffer): Promise<BlobBody> {
    const body = await this.source();
    if (await this.continues(body, buffer)) return body;
    body.body.destroy();
    const changed = new UpstreamError('wrong', `${body.host} changed the content during the download`);
    if (this.isServed()) throw changed;
    const again = await this.source();
    const ingest = await this.openIngest(again);
    // A client may have been sent bytes meanwhile; nothing is awaited between this check and the restart.
    const isPossible = !this.isServed() && again.size === this.total;
    const old = this.ingest;
    if (isPossible) {
      this.ingest = ingest instanceof StorageError ? undefined : ingest;
      this.hash.start(this.total);
      buffer.restart(ingest);
      this.announcements.restart();
    } else again.body.destroy();
    const unused = isPossible ? old : ingest;
    if (unused !== undefined && !(unused instanceof StorageError)) {
      await unused.abort();
      await unused.close();
    }
    if (!isPossible) throw changed;
    return again;
  }

  /** Whether it has been aborted. It may change whenever something is awaited. */
  private hasFailed(): boolean {
    return this.state === 'failed';
  }

  /** Whether a client has been sent bytes. It may change at any await. */
  private isServed(): boolean {
    return this.hasServed;
  }

  /** A storage failure does not end the download: it is passed through. */
  private async openIngest({ body, size }: BlobBody): Promise<Ingest | StorageError> {
    try {
      return await this.createIngest(size);
    } catch (error) {
      if (error instanceof StorageError) return error;
      body.destroy();
      throw error;
    }
  }

  /** Whether the body continues where the download is. It skips bytes that have already been received. */
  private async continues(body: BlobBody, buffer: DownloadBuffer): Promise<boolean> {
    if (body.size !== undefined && this.total !== undefined && body.size !== this.total) return false;
    return body.offset === buffer.size || skipSamePrefix(body, buffer.size, this.digest, () => this.hash.of(buffer));
  }

  private async verify(buffer: DownloadBuffer): Promise<void> {
    if ((await this.hash.of(buffer)) === this.digest.hex) return;
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

function tooLarge(): UpstreamError {
  return new UpstreamError('wrong', 'the blob is larger than --max-blob-size');
}

/** Milliseconds before a resume: a request before Retry-After would only waste an attempt. */
function pauseBefore(idle: number, cut: UpstreamError | undefined): number {
  const asked = (cut?.retryAfter ?? 0) * 1000;
  return Math.max(resumeDelay * idle, asked <= longestPause ? asked : 0);
}
