import { checkIngestId } from '../../../keys.js';
import { notFound, orAbsent, StorageError } from '../../../storage-error.js';
import type { ResumableIngest, ResumableIngests } from '../../../storage.provider.js';
import { openObject } from '../reading/s3.object.js';
import { codeOf, toStorageError } from '../s3-errors.js';
import { headObject } from '../s3.requests.js';
import type { IngestContext } from '../uploading/s3.ingest.js';
import type { TempFile } from '../uploading/temp-file.js';
import type { TempFolder } from '../uploading/temp-folder.js';
import { parseS3Checkpoint, type S3Checkpoint } from './checkpoint.js';
import type { PartsUpload } from './parts.upload.js';
import { ResumableS3Ingest, type Resumed } from './resumable.s3.ingest.js';
import { SessionObjects } from './session.objects.js';

/**
 * Resumable ingests in a bucket: complete parts in a multipart upload, and the bytes behind them in an object at each
 * checkpoint. Whoever resumes a checkpoint that its maker has not paused has the bucket copy the parts, since that process
 * may still send some.
 */
export class S3Ingests implements ResumableIngests {
  readonly commitsCopy = true;
  private readonly objects: SessionObjects;
  private readonly inUse = new Map<string, number>();

  /** @param start of all paths of unfinished content. */
  constructor(
    private readonly context: IngestContext,
    private readonly folder: TempFolder,
    start: string,
  ) {
    this.objects = new SessionObjects(context, start);
  }

  /** Chunks of one part leave no rest that every checkpoint would have to write again. */
  get minChunk(): number {
    return this.context.connection.tuning.firstPart;
  }

  async begin(id: string): Promise<ResumableIngest> {
    return Promise.resolve().then(() => this.ingestOf(checkIngestId(id)));
  }

  async resume(id: string, checkpoint: string): Promise<ResumableIngest> {
    checkIngestId(id);
    const from = parseS3Checkpoint(checkpoint);
    if (from.size === 0) return this.ingestOf(id, { from, upload: this.objects.uploadOf(id), rest: undefined });
    try {
      const rest = await this.restOf(id, from);
      try {
        return this.ingestOf(id, { from, upload: await this.partsOf(id, from), rest });
      } catch (error) {
        await rest?.close();
        throw error;
      }
    } catch (error) {
      throw toStorageError(error, 'resume to write');
    }
  }

  async discard(id: string): Promise<void> {
    checkIngestId(id);
    try {
      await this.objects.removeAll(id);
    } catch (error) {
      throw toStorageError(error, 'remove an unfinished write');
    }
  }

  async sweep(age: number, isKept: (id: string) => Promise<boolean>): Promise<number> {
    const oldest = Date.now() - age;
    let swept = 0;
    for (const [id, usedAt] of await this.objects.usedAt()) {
      if (usedAt > oldest || this.inUse.has(id) || (await isKept(id))) continue;
      await this.discard(id);
      swept += 1;
    }
    return swept;
  }

  private ingestOf(id: string, resumed?: Resumed): ResumableIngest {
    this.inUse.set(id, (this.inUse.get(id) ?? 0) + 1);
    const leave = () => {
      const others = (this.inUse.get(id) ?? 1) - 1;
      if (others === 0) this.inUse.delete(id);
      else this.inUse.set(id, others);
    };
    const { context, folder, objects } = this;
    return new ResumableS3Ingest(id, { ingest: context, folder, objects, leave }, resumed);
  }

  /** The bytes behind the last complete part. @throws StorageError `not-found` */
  private async restOf(id: string, { size, parts, partSize = 0, tail }: S3Checkpoint): Promise<TempFile | undefined> {
    if (tail === undefined) return undefined;
    const length = size - parts * partSize;
    const file = await this.folder.createFile();
    try {
      const object = await openObject(this.context.connection, this.objects.pathOf(id, tail));
      try {
        if (object.size < length) throw notFound();
        await object.copy({ offset: 0, length }, (chunk) => file.append(chunk));
      } finally {
        await object.close();
      }
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The upload with the complete parts: that of the checkpoint, or a copy of it. */
  private async partsOf(id: string, { parts, partSize = 0, upload, isPaused }: S3Checkpoint): Promise<PartsUpload> {
    const former = this.objects.uploadOf(id, upload);
    if (upload === undefined) return former;
    const isThere = await adopted(former, parts, partSize);
    if (isThere && isPaused) return former;
    if (isThere) await completed(former);
    // It is an object now, possibly with later parts, which another process may have made it.
    const found = await orAbsent(headObject(this.context.connection, former.path));
    if (!found || found.size < parts * partSize) throw notFound();
    const copy = this.objects.uploadOf(id);
    try {
      await copy.copyFrom(former.path, parts * partSize, partSize);
      return copy;
    } catch (error) {
      await copy.abort();
      throw error;
    }
  }
}

/** Whether the upload exists and has the parts. */
async function adopted(upload: PartsUpload, parts: number, size: number): Promise<boolean> {
  try {
    if (await upload.adopt(parts, size)) return true;
    throw new StorageError('not-found', 'parts of the upload are missing');
  } catch (error) {
    if (codeOf(error) === 'NoSuchUpload') return false;
    throw error;
  }
}

async function completed(upload: PartsUpload): Promise<void> {
  await upload.complete().catch((error: unknown) => {
    if (codeOf(error) !== 'NoSuchUpload') throw error;
  });
}
