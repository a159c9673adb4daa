import type { Clock } from '../../../config/clock/clock.js';
import { DockerConfig, maxConfigBytes } from '../../../config/credentials/docker/docker.config.js';
import type { ConfigPlace } from '../../../config/credentials/docker/config.places.js';
import { markOf, readRegularFile } from '../../../config/files/regular.file.js';
import { CredentialError } from '../credential.source.js';
import { untilAborted } from './until.aborted.js';

/** Milliseconds between looks at a file. */
const lookInterval = 1_000;
/** Milliseconds to wait for a file, which may be on a network. */
const readTimeout = 10_000;

/** Reads a docker config from one place, again when it has changed. */
export class ConfigReader {
  private known: DockerConfig | undefined;
  private mark: string | undefined;
  private lookedAt = -Infinity;
  private reading: Promise<DockerConfig | undefined> | undefined;

  constructor(
    readonly place: ConfigPlace,
    private readonly clock: Clock,
  ) {}

  /** The newest content; undefined when a place that need not be there is not. @param signals end the wait. @throws CredentialError */
  async read(...signals: readonly AbortSignal[]): Promise<DockerConfig | undefined> {
    this.reading ??= this.readOnce().finally(() => (this.reading = undefined));
    return await this.inTime(this.reading, signals);
  }

  /** Content that is at most a second old, or older when newer is not valid. @throws CredentialError when there is none */
  async peek(): Promise<DockerConfig | undefined> {
    const isDue = this.clock.monotonic() - this.lookedAt >= lookInterval;
    if (!isDue && (this.known || !this.reading)) return this.known;
    this.lookedAt = this.clock.monotonic();
    try {
      return await this.read();
    } catch (error) {
      // `read` throws it again for whoever needs credentials.
      if (this.known) return this.known;
      throw error;
    }
  }

  /** Changes when the content has. */
  async markOf(): Promise<string> {
    if ('text' in this.place) return 'constant';
    return await this.inTime(markOf(this.place.path).catch((error: unknown) => `unreadable: ${reasonOf(error)}`));
  }

  private async readOnce(): Promise<DockerConfig | undefined> {
    const { place } = this;
    try {
      if ('text' in place) return (this.known ??= DockerConfig.parse(place.text.reveal()));
      // Before the content: a change between the two is found at the next look.
      const mark = await markOf(place.path);
      if (mark !== this.mark) this.known = parse(await readRegularFile(place.path));
      this.mark = mark;
      return this.known;
    } catch (error) {
      if ('path' in place && !place.isRequired && isAbsent(error)) return undefined;
      throw new CredentialError(`${place.name} ${reasonOf(error)}`);
    }
  }

  private inTime<T>(work: Promise<T>, signals: readonly AbortSignal[] = []): Promise<T> {
    const signal = AbortSignal.any([...signals, AbortSignal.timeout(readTimeout)]);
    return untilAborted(work, signal, () => new CredentialError(`${this.place.name} could not be read in time`));
  }
}

function parse(text: string): DockerConfig {
  if (Buffer.byteLength(text) > maxConfigBytes) throw new Error('is larger than 1 MiB');
  return DockerConfig.parse(text);
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code));
}

/** Completes a sentence that begins with the place. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be read';
  return 'code' in error ? `cannot be read: ${String(error.code)}` : error.message;
}
