import type { DigestAlgorithm } from '../../../oci/digest.js';
import { keys, parseUploadKey } from '../../keys.js';
import { orAbsent, StorageError } from '../../storage-error.js';
import type { StorageProvider } from '../../storage.provider.js';
import { parseRecord, sizeOf, type RecordFields } from '../record.store.js';
import { UploadLost } from './upload.session.js';

/** Largest record in bytes: a checkpoint of 2 KiB, an identity and a name. */
const maxRecordBytes = 16 * 1024;
const version = 1;
/** The largest that a key has digits for. */
const maxEpoch = 99_999_999;
/** Longest chain of claims that were interrupted, and how often a list is repeated that others have outdated. */
const maxChain = 64;
const maxLists = 4;
/** Older epochs than this many before the newest are removed. */
const keptEpochs = 8;

/** What is recorded of a session, apart from its id and epoch. */
export interface UploadFields {
  readonly repository: string;
  readonly size: number;
  readonly startedAt: number;
  readonly startedBy?: string | undefined;
  readonly algorithm?: DigestAlgorithm | undefined;
  /** As in `UploadRecord`: the bytes may have become the content with that digest. */
  readonly committing?: string | undefined;
  /** Of its ingest. */
  readonly checkpoint: string;
}

/** Written by whoever claims a session, until it knows what its predecessor has recorded last. */
interface Claim {
  /** The predecessor's epoch. */
  readonly claims: number;
}

export interface NewestUpload {
  readonly epoch: number;
  /** As recorded by that epoch, or by the newest one before it whose claim was completed. */
  readonly fields: UploadFields;
}

/**
 * Records of upload sessions, an object for each epoch, which only the process that created it overwrites. They need not
 * outlive a power failure: a session whose bytes or records are missing is unknown, and the client starts again.
 */
export class UploadRecords {
  constructor(private readonly provider: StorageProvider) {}

  /** @returns false when another process has created that epoch. */
  async create(id: string, epoch: number, content: UploadFields | Claim): Promise<boolean> {
    if (this.provider.isExclusive) return this.provider.create(keys.upload(id, epoch), bytesOf(content), notDurable);
    // Without exclusive creation the later of two claims wins, and each commits only what it has verified.
    await this.write(id, epoch, content);
    return true;
  }

  write(id: string, epoch: number, content: UploadFields | Claim): Promise<void> {
    return this.provider.write(keys.upload(id, epoch), bytesOf(content), notDurable);
  }

  async has(id: string, epoch: number): Promise<boolean> {
    return (await orAbsent(this.provider.stat(keys.upload(id, epoch)))) !== undefined;
  }

  /** @throws UploadLost when the session has ended, or another process has claimed it; StorageError */
  async assertHeld(id: string, epoch: number): Promise<void> {
    const [isThere, isLost] = await Promise.all([this.has(id, epoch), this.has(id, epoch + 1)]);
    if (!isThere || isLost) throw new UploadLost();
  }

  /** @param hint an epoch that existed; when it still is the newest, no list is needed. */
  async findNewest(id: string, hint = 0): Promise<NewestUpload | undefined> {
    if (Number.isSafeInteger(hint) && hint > 0 && hint <= maxEpoch) {
      const [fields, isOld] = await Promise.all([this.find(id, hint), this.has(id, hint + 1)]);
      if (fields && !isOld) return { epoch: hint, fields };
    }
    for (let lists = 0; lists < maxLists; lists += 1) {
      const epoch = Math.max(0, ...(await this.epochsOf(id)));
      if (epoch === 0) return undefined;
      const fields = await this.find(id, epoch);
      if (fields) return { epoch, fields };
    }
    return undefined;
  }

  /** What an epoch has recorded, or its predecessor while its claim is not complete. */
  async find(id: string, epoch: number): Promise<UploadFields | undefined> {
    for (let chain = 0, next = epoch; chain < maxChain; chain += 1) {
      const found = await this.read(id, next);
      if (!found || 'checkpoint' in found) return found;
      next = found.claims;
    }
    return undefined;
  }

  /** Removes one epoch. */
  remove(id: string, epoch: number): Promise<void> {
    return this.provider.delete(keys.upload(id, epoch));
  }

  /** Removes the epoch that has become too old to matter when `epoch` is the newest. */
  async prune(id: string, epoch: number): Promise<void> {
    if (epoch > keptEpochs) await this.remove(id, epoch - keptEpochs);
  }

  /** Removes every epoch, the newest last. @param newest the only epoch that there has been when it is 1 */
  async removeAll(id: string, newest = 0): Promise<void> {
    const epochs = newest === 1 ? [1] : await this.epochsOf(id);
    for (const epoch of epochs.sort((one, other) => one - other)) await this.remove(id, epoch);
  }

  async epochsOf(id: string): Promise<number[]> {
    const epochs: number[] = [];
    for await (const { key } of this.provider.list(keys.uploads(id))) {
      const parsed = parseUploadKey(key);
      if (parsed?.id === id) epochs.push(parsed.epoch);
    }
    return epochs;
  }

  /** Sessions with the time at which their newest record was written, in milliseconds since 1970. */
  async *list(): AsyncGenerator<{ readonly id: string; readonly usedAt: number }> {
    // The contents of a folder are contiguous, and a session is in one folder.
    let folder = new Map<string, number>();
    let start = '';
    for await (const { key, usedAt } of this.provider.list('uploads')) {
      const parsed = parseUploadKey(key);
      if (!parsed) continue;
      const { id } = parsed;
      if (!id.startsWith(start) || start === '') {
        yield* entriesOf(folder);
        folder = new Map();
        start = id.slice(0, 2);
      }
      folder.set(id, Math.max(folder.get(id) ?? 0, usedAt.getTime()));
    }
    yield* entriesOf(folder);
  }

  /** Undefined for a record that is damaged or of a newer version: its session cannot be continued. */
  private async read(id: string, epoch: number): Promise<UploadFields | Claim | undefined> {
    try {
      return parse(await this.provider.read(keys.upload(id, epoch), maxRecordBytes), epoch);
    } catch (error) {
      if (error instanceof StorageError && ['not-found', 'too-large', 'damaged'].includes(error.kind)) return undefined;
      throw error;
    }
  }
}

const notDurable = { isDurable: false };

function* entriesOf(folder: ReadonlyMap<string, number>): Generator<{ id: string; usedAt: number }> {
  for (const [id, usedAt] of folder) yield { id, usedAt };
}

function bytesOf(content: UploadFields | Claim): Buffer {
  return Buffer.from(JSON.stringify({ version, ...content }));
}

function parse(content: Buffer, epoch: number): UploadFields | Claim | undefined {
  const fields = parseRecord(content);
  if (fields?.version !== version) return undefined;
  const { claims } = fields;
  if (Number.isSafeInteger(claims) && Number(claims) < epoch) return { claims: Number(claims) };
  return parseFields(fields);
}

function parseFields(fields: RecordFields): UploadFields | undefined {
  const { repository, startedAt, startedBy, algorithm, committing, checkpoint } = fields;
  const size = sizeOf(fields);
  if (size === undefined || typeof repository !== 'string' || typeof checkpoint !== 'string') return undefined;
  if (typeof startedAt !== 'number' || !Number.isFinite(startedAt)) return undefined;
  return {
    repository,
    size,
    startedAt,
    ...(typeof startedBy === 'string' && { startedBy }),
    ...((algorithm === 'sha256' || algorithm === 'sha512') && { algorithm }),
    ...(typeof committing === 'string' && { committing }),
    checkpoint,
  };
}
