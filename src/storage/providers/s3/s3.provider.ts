import { Logger } from '@nestjs/common';
import type { S3Settings } from '../../../config/storage.settings.js';
import { isNeverTouched } from '../../keys.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import {
  StorageProvider,
  type BufferSpace,
  type ChunkSink,
  type Ingest,
  type IngestOptions,
  type ObjectEntry,
  type ResumableIngests,
  type StoredObject,
} from '../../storage.provider.js';
import { checkBucket } from './bucket.check.js';
import { KeySpace } from './key-space.js';
import { copyObject } from './reading/object-copy.js';
import { listNames, listObjects } from './reading/object-list.js';
import { S3Connection } from './s3.connection.js';
import { toStorageError } from './s3-errors.js';
import { S3Ingest, type IngestContext } from './uploading/s3.ingest.js';
import { openObject } from './reading/s3.object.js';
import { createRecord, headObject, putRecord, readObject, removeObject, signedUrl } from './s3.requests.js';
import { defaultTuning, type S3Tuning } from './s3.tuning.js';
import { S3Ingests } from './resumable/s3.ingests.js';
import { Watchdog } from './watchdog.js';
import { TempFolder } from './uploading/temp-folder.js';
import { sweepUploads } from './uploading/upload.sweep.js';
import { Uploads } from './uploading/uploads.js';

/** Keeps objects in a bucket of Amazon S3 or a compatible server. */
export class S3Provider extends StorageProvider {
  private readonly logger = new Logger(S3Provider.name);
  private readonly connection: S3Connection;
  private readonly space: KeySpace;
  private readonly uploads: Uploads;
  private readonly context: IngestContext;
  private readonly ingests: S3Ingests;
  private obeysConditions = false;

  /** @param folder for content being written, on a disk with space for all concurrent downloads. */
  constructor(
    private readonly settings: S3Settings,
    tuning: Partial<S3Tuning> = {},
    private readonly folder = new TempFolder(),
  ) {
    super();
    this.connection = new S3Connection(settings, { ...defaultTuning, ...tuning });
    this.space = new KeySpace(settings.prefix);
    this.uploads = new Uploads(this.connection);
    this.context = {
      connection: this.connection,
      uploads: this.uploads,
      pathOf: (key) => this.space.pathOf(key),
    };
    this.ingests = new S3Ingests(this.context, folder, `${this.space.start}ingest/`);
  }

  async initialize(): Promise<void> {
    try {
      this.obeysConditions = await checkBucket(this.connection, this.space, this.settings);
    } catch (error) {
      this.connection.close();
      throw error;
    }
    this.connection.circuit.arm();
    const { isInMemory, folder } = await this.folder.space();
    if (isInMemory)
      this.logger.warn(
        `downloads use memory until they are uploaded: set TMPDIR to a folder on a disk instead of ${folder}`,
      );
    if (!this.obeysConditions)
      this.logger.warn('the storage ignores conditional writes: replicas cannot coordinate, and each one downloads');
  }

  get isExclusive(): boolean {
    return this.obeysConditions;
  }

  async read(key: string, limit: number): Promise<Buffer> {
    const path = this.space.pathOf(key);
    const deadline = new Watchdog(this.connection.tuning.requestTimeout);
    try {
      return await attempt('read an object', this.readAll(path, limit, deadline));
    } finally {
      deadline.stop();
    }
  }

  private async readAll(path: string, limit: number, { signal, end }: Watchdog): Promise<Buffer> {
    const whole = await readObject(this.connection, path, limit, signal);
    if (whole) return whole;
    const object = await openObject(this.connection, path, signal);
    try {
      const { size } = object;
      if (size > limit) throw new StorageError('too-large', `the object has more than ${limit} bytes`);
      const content = Buffer.allocUnsafe(size);
      let done = 0;
      const take: ChunkSink = (chunk) => {
        content.set(chunk, done);
        done += chunk.length;
        return Promise.resolve();
      };
      // A bucket that sends headers and then nothing is as silent as one that sends nothing.
      await this.connection.circuit.wait(object.copy({ offset: 0, length: size }, take, signal), end);
      return content;
    } finally {
      await object.close();
    }
  }

  async write(key: string, content: Uint8Array): Promise<void> {
    const path = this.space.pathOf(key);
    await attempt('write an object', putRecord(this.connection, path, content));
  }

  async create(key: string, content: Uint8Array): Promise<boolean> {
    const path = this.space.pathOf(key);
    return attempt('create an object', createRecord(this.connection, path, content));
  }

  /** During the move the object is visible under both keys, never under neither. */
  async move(from: string, to: string): Promise<void> {
    const [source, target] = [this.space.pathOf(from), this.space.pathOf(to)];
    const { size } = await this.stat(from);
    if (source === target) return;
    await attempt('move an object', copyObject(this.connection, this.uploads, source, target, size));
    await this.delete(from);
  }

  /** Writes a marker object, since changing an object's own time would mean copying it. */
  async touch(key: string): Promise<void> {
    const marker = this.space.markerOf(key);
    await attempt('touch an object', putRecord(this.connection, marker, Buffer.alloc(0)));
  }

  capacity(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  override bufferSpace(): Promise<BufferSpace> {
    return this.folder.space();
  }

  async urlOf(key: string, seconds: number): Promise<string | undefined> {
    const path = this.space.pathOf(key);
    if (!this.settings.redirect) return undefined;
    return attempt('sign a URL', signedUrl(this.connection, path, seconds));
  }

  async open(key: string): Promise<StoredObject> {
    return openObject(this.connection, this.space.pathOf(key));
  }

  /** Ignores the use marker: the time is that of the write. */
  async stat(key: string): Promise<ObjectEntry> {
    const path = this.space.pathOf(key);
    const { size, usedAt } = await attempt('look up an object', headObject(this.connection, path));
    return { key, size, usedAt };
  }

  override async lastUse(key: string): Promise<ObjectEntry> {
    const marker = attempt('look up an object', headObject(this.connection, this.space.markerOf(key)));
    const [entry, touched] = await Promise.all([this.stat(key), orAbsent(marker)]);
    return touched && touched.usedAt > entry.usedAt ? { ...entry, usedAt: touched.usedAt } : entry;
  }

  /** Also removes the use marker; if that fails, the next list does. */
  async delete(key: string): Promise<void> {
    const [path, marker] = [this.space.pathOf(key), this.space.markerOf(key)];
    const isUnmarked = isNeverTouched(key);
    const unmarked = isUnmarked ? undefined : removeObject(this.connection, marker).catch(() => undefined);
    await attempt('delete an object', removeObject(this.connection, path));
    await unmarked;
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    yield* listObjects(this.connection, this.space, prefix);
  }

  override listNames(folder: string, after: string | undefined, limit: number): Promise<string[]> {
    return listNames(this.connection, this.space, folder, after, limit);
  }

  async createIngest({ isTransient = false, key, size }: IngestOptions = {}): Promise<Ingest> {
    const path = isTransient || key === undefined ? undefined : this.space.findPath(key);
    return new S3Ingest(await this.folder.createFile(), this.context, path, size);
  }

  override get resumable(): ResumableIngests {
    return this.ingests;
  }

  async sweepIngests(age: number): Promise<number> {
    // Folders of killed processes are empty and do not count.
    await this.folder.sweep(age);
    return sweepUploads(this.connection, this.space, this.uploads, age);
  }

  async close(): Promise<void> {
    this.connection.close();
    await this.folder.close();
  }
}

async function attempt<T>(what: string, action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw toStorageError(error, what);
  }
}
