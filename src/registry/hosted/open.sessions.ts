import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { OciError } from '../../oci/error.js';
import { StorageError } from '../../storage/storage-error.js';
import { HostedStore } from '../../storage/stores/hosted/hosted.store.js';
import { UploadLost, UploadStore, type UploadSession } from '../../storage/stores/upload.store.js';
import { isOwn, type SessionOwner } from './session.owner.js';

/** Sessions that this process keeps between two requests, so that their hashes go on in memory. */
const maxIdle = 256;
/** Milliseconds that it keeps one. */
const idleTime = 60_000;

interface Turn {
  /** Ends the request that has the session, because another continues the upload. */
  readonly interrupt: AbortController;
  readonly ended: Promise<unknown>;
}

/** Upload sessions that this process has claimed. Requests for one are served one after another. */
@Injectable()
export class OpenSessions implements OnApplicationShutdown {
  private readonly turns = new Map<string, Turn>();
  private readonly idle = new Map<string, { readonly session: UploadSession; readonly timer: NodeJS.Timeout }>();

  constructor(
    private readonly uploads: UploadStore,
    private readonly store: HostedStore,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.turns.values()].map(({ ended }) => ended.catch(() => undefined)));
    await Promise.all([...this.idle.keys()].map((id) => this.letGo(id)));
    await this.uploads.end();
  }

  /** Keeps a session for the next request. */
  keep(session: UploadSession): void {
    const { id } = session;
    const timer = setTimeout(() => void this.letGo(id), idleTime).unref();
    this.idle.set(id, { session, timer });
    const [oldest] = this.idle.keys();
    if (this.idle.size > maxIdle && oldest !== undefined) void this.letGo(oldest);
  }

  /**
   * Runs an action with a session; a request of its owner that still has it is interrupted.
   * @param epoch hint from the client's URL.
   * @param action says whether the session goes on.
   * @param isRepeatable whether the action takes no bytes of a body.
   * @throws OciError BLOB_UPLOAD_UNKNOWN, UNAVAILABLE when another process takes the session meanwhile
   */
  async run<T>(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
    action: (session: UploadSession, signal: AbortSignal) => Promise<{ result: T; goesOn: boolean }>,
    isRepeatable = false,
  ): Promise<T> {
    // Only its owner may interrupt a request.
    if (this.turns.has(id) && !isOwn(owner, await this.uploads.find(id, epoch)))
      throw new OciError('BLOB_UPLOAD_UNKNOWN');
    const before = this.turns.get(id);
    const interrupt = new AbortController();
    const started = (before?.ended ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.attempt(owner, id, epoch, (session) => action(session, interrupt.signal), isRepeatable));
    this.turns.set(id, { interrupt, ended: started });
    before?.interrupt.abort(new OciError('BLOB_UPLOAD_INVALID', 'another request continues this upload'));
    try {
      return await started;
    } finally {
      if (this.turns.get(id)?.ended === started) this.turns.delete(id);
    }
  }

  /**
   * For an action to call before it refuses or appends bytes: its client may have gone on at another process.
   * @param check fails with UploadLost then.
   * @throws Outdated when another process has claimed the session since it was kept: `run` begins the action again
   */
  async assertNewest(session: UploadSession, check = () => session.assertHeld()): Promise<void> {
    await check().catch((error: unknown) => {
      throw error instanceof UploadLost ? new Outdated() : error;
    });
  }

  /** Ends the request that has the session: its client has lost it, or would not ask where the session stands. */
  async interrupt(id: string): Promise<void> {
    const turn = this.turns.get(id);
    turn?.interrupt.abort(new OciError('BLOB_UPLOAD_INVALID', 'the client asks where this upload stands'));
    await turn?.ended.catch(() => undefined);
  }

  private async attempt<T>(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
    action: (session: UploadSession) => Promise<{ result: T; goesOn: boolean }>,
    isRepeatable: boolean,
  ): Promise<T> {
    const kept = await this.takeIdle(owner, id, epoch);
    try {
      if (kept) return await this.use(kept, action);
    } catch (error) {
      if (!(error instanceof Outdated || (isRepeatable && error instanceof UploadLost)))
        throw await this.refusalOf(error, id);
    }
    const session = await this.uploads.claim(id, epoch, (record) => isOwn(owner, record));
    if (!session) throw new OciError('BLOB_UPLOAD_UNKNOWN');
    try {
      return await this.use(session, action);
    } catch (error) {
      throw await this.refusalOf(error, id);
    }
  }

  /** A session that was lost has been continued by another process, or ended. */
  private async refusalOf(error: unknown, id: string): Promise<unknown> {
    if (!(error instanceof UploadLost)) return error;
    const goesOn = await this.uploads.find(id);
    if (!goesOn) return new OciError('BLOB_UPLOAD_UNKNOWN', undefined, { cause: error });
    return new OciError('UNAVAILABLE', 'another process continues this upload', { retryAfter: 1, cause: error });
  }

  private async use<T>(
    session: UploadSession,
    action: (session: UploadSession) => Promise<{ result: T; goesOn: boolean }>,
  ): Promise<T> {
    let goesOn = true;
    try {
      const { result, goesOn: isOpen } = await action(session);
      goesOn = isOpen;
      return result;
    } catch (error) {
      goesOn = !(error instanceof UploadLost || error instanceof StorageError || hasEnded(error));
      if (goesOn) throw error;
      if (hasEnded(error)) throw error.error;
      await session.release();
      throw error;
    } finally {
      if (goesOn) this.keep(session);
    }
  }

  /** Undefined when it is not here, or when another process may have claimed it since. */
  private async takeIdle(
    owner: SessionOwner,
    id: string,
    epoch: number | undefined,
  ): Promise<UploadSession | undefined> {
    const known = this.idle.get(id);
    if (!known || !isOwn(owner, known.session)) return undefined;
    const { session, timer } = known;
    this.idle.delete(id);
    clearTimeout(timer);
    let isNewest = false;
    try {
      isNewest = await this.isNewest(session, epoch);
    } finally {
      if (!isNewest) await session.release();
    }
    return isNewest ? session : undefined;
  }

  /** Other processes name the epochs of their claims in what they respond. */
  private async isNewest(session: UploadSession, epoch: number | undefined): Promise<boolean> {
    if (this.store.isCached) return true;
    if (epoch !== undefined) return epoch <= session.epoch;
    return (await this.uploads.find(session.id, session.epoch))?.epoch === session.epoch;
  }

  private async letGo(id: string): Promise<void> {
    const known = this.idle.get(id);
    if (!known) return;
    this.idle.delete(id);
    clearTimeout(known.timer);
    await known.session.release();
  }
}

class Outdated extends UploadLost {}

/** Wraps the error of an action that has ended the session. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded';

  constructor(readonly error: OciError) {
    super(error.message, { cause: error });
  }
}

function hasEnded(error: unknown): error is SessionEnded {
  return error instanceof SessionEnded;
}
