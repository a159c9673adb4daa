import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../../config/memory/at-most.js';
import type { DigestAlgorithm } from '../../../oci/digest.js';
import type { SecretStore } from '../secret.store.js';
import type { UploadFields } from './upload.records.js';

/** Sessions of earlier processes that are remembered, also when they have ended. */
const maxKnown = 20_000;
/** Milliseconds for which a session without a byte goes on. */
const lifetime = 24 * 3_600_000;
/** Characters of a proof, of 6 bits each. */
const proofLength = 22;
/** Time, algorithm, process and proof. */
const pattern = /^([0-9a-z]{1,11})\.(sha256|sha512|)\.([\w-]{8})\.([\w-]{22})$/;

export type EmptyFields = Omit<UploadFields, 'size' | 'checkpoint' | 'committing'>;

/** A session of this process that has no record. */
export interface UnrecordedSession {
  /** What its URL says. */
  readonly begun: string | undefined;
  /** Writes a record that it has no byte. */
  persist(): Promise<void>;
}

/**
 * Sessions without a byte, in the only process that writes the storage. They have no record, which would be written and
 * removed for each small layer: their URL says when they began, with a proof that this server said so. It restores them in
 * a process that comes after this one was killed.
 */
export class EmptySessions {
  private readonly open = new Map<string, { readonly fields: EmptyFields; readonly session: UnrecordedSession }>();
  /** Names this process in URLs: it knows its own sessions, and restores none of them. */
  private readonly process = randomBytes(6).toString('base64url');
  /** Sessions of earlier processes that have been restored here; what it resolves to is being restored. */
  private readonly known = new LRUCache<string, Promise<void>>(atMost(maxKnown));
  private key: Promise<Buffer> | undefined;

  constructor(private readonly secrets: SecretStore) {}

  /** @returns what the URL of a session says. @throws StorageError when there is no key yet and none can be stored */
  async begunOf(id: string, fields: EmptyFields): Promise<string> {
    const { startedAt, algorithm = '' } = fields;
    const { process } = this;
    return `${startedAt.toString(36)}.${algorithm}.${process}.${await this.prove(id, fields, process)}`;
  }

  /** Ends in an orderly way, when every session has a record or has ended: no URL restores any after this. @throws StorageError */
  async end(): Promise<void> {
    if (this.key !== undefined) await this.secrets.remove('upload-key');
  }

  add(id: string, fields: EmptyFields, session: UnrecordedSession): void {
    this.open.set(id, { fields, session });
  }

  /** It has a record now, or has ended. */
  remove(id: string): void {
    this.open.delete(id);
  }

  find(id: string): { readonly fields: EmptyFields; readonly session: UnrecordedSession } | undefined {
    return this.open.get(id);
  }

  /**
   * Restores a session of an earlier process.
   * @param restore gets what was proven.
   */
  async restore(
    id: string,
    begun: string,
    owner: Pick<EmptyFields, 'repository' | 'startedBy'>,
    restore: (fields: EmptyFields) => Promise<void>,
  ): Promise<void> {
    const known = this.known.get(id);
    if (known) return known;
    const restoring = this.proven(id, begun, owner).then(async (fields) => {
      if (fields) await restore(fields);
      // Others have learnt nothing of it.
      else this.known.delete(id);
    });
    this.known.set(id, restoring);
    try {
      await restoring;
    } catch (error) {
      this.known.delete(id);
      throw error;
    }
  }

  private async proven(
    id: string,
    begun: string,
    owner: Pick<EmptyFields, 'repository' | 'startedBy'>,
  ): Promise<EmptyFields | undefined> {
    const [, time = '', algorithm, process = '', proof = ''] = pattern.exec(begun) ?? [];
    const startedAt = Number.parseInt(time, 36);
    if (proof === '' || process === this.process || Date.now() - startedAt > lifetime) return undefined;
    const named: DigestAlgorithm | undefined = algorithm === 'sha256' || algorithm === 'sha512' ? algorithm : undefined;
    const fields = { ...owner, startedAt, algorithm: named };
    const expected = await this.prove(id, fields, process);
    return timingSafeEqual(Buffer.from(proof), Buffer.from(expected)) ? fields : undefined;
  }

  private async prove(id: string, fields: EmptyFields, process: string): Promise<string> {
    const { repository, startedAt, startedBy, algorithm } = fields;
    const text = JSON.stringify([id, repository, startedAt, startedBy ?? null, algorithm ?? null, process]);
    const mac = createHmac('sha256', await this.findKey())
      .update(text)
      .digest('base64url');
    return mac.slice(0, proofLength);
  }

  private async findKey(): Promise<Buffer> {
    this.key ??= this.secrets
      .readOrCreate('upload-key', () => Promise.resolve(randomBytes(32).toString('hex')))
      .then((text) => Buffer.from(text));
    try {
      return await this.key;
    } catch (error) {
      this.key = undefined;
      throw error;
    }
  }
}
