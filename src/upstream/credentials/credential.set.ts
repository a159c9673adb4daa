import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import { meanSame } from '../../config/reload/changes.js';
import type { CredentialSettings, SourceKind } from '../../config/credentials/credential.settings.js';
import { CredentialState } from '../sign-in/credential-state.js';
import { CredentialsUnavailableError } from '../upstream-error.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from './credential.source.js';
import { makeSource } from './credential.sources.js';
import { RefreshedCredentials, type CredentialEvents } from './refreshed.credentials.js';
import { passwordOf } from './static.source.js';

/** Parts of one source that are kept, such as paths of a docker config. */
const maxParts = 200;
/** Seconds after which a client may try again while a source fails. */
const retryAfter = 5;
/** Sets since the start. */
let made = 0;

/** Requests to a source by result. */
export interface FetchCounts {
  ok: number;
  failed: number;
}

/** What a request signs in with. */
export interface SignedIn {
  /** Undefined when the source has none. */
  readonly credentials: UpstreamCredentials | undefined;
  /** Another one for other credentials, and after these were refused: what was obtained with them belongs to them. */
  readonly key: string;
}

/** For metrics, `doctor` and the status page. */
export interface CredentialSetState {
  readonly source: SourceKind;
  /** Patterns; empty for all other repositories. */
  readonly repositories: readonly string[];
  readonly counts: Readonly<FetchCounts>;
  /** Whose credentials are in use, at most a few. */
  readonly identities: readonly string[];
  /** The earliest end of those in use, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  /** Why the last attempt failed. */
  readonly problem: string | undefined;
}

/** The state of a set, and the host that it is for. */
export interface UpstreamCredentialState extends CredentialSetState {
  readonly namespace: string;
  readonly host: string;
  readonly isFallback: boolean;
}

/** The credentials of one entry of an upstream's settings. */
export class CredentialSet {
  private readonly logger = new Logger('Credentials');
  private readonly parts = new LRUCache<string, RefreshedCredentials>(atMost(maxParts));
  private source: Promise<CredentialSource> | undefined;
  private generation = 0;
  private readonly id = (made += 1);
  private refusals = new CredentialState();
  readonly counts: FetchCounts = { ok: 0, failed: 0 };

  /** @param name of the upstream, for messages. @param make replaced in tests */
  constructor(
    private name: string,
    private entry: CredentialSettings,
    private readonly context: SourceContext,
    private readonly make: typeof makeSource = makeSource,
  ) {}

  get settings(): CredentialSettings {
    return this.entry;
  }

  /** Whether the registry refuses them. */
  get state(): CredentialState {
    return this.refusals;
  }

  /** Whether it holds what an entry would have fetched: the same source, told the same, for the same registry. */
  isOf(entry: CredentialSettings, context: SourceContext): boolean {
    if (this.isConstant) return false;
    return meanSame(purposeOf(this.entry, this.context), purposeOf(entry, context));
  }

  /** Goes on for other settings of the upstream. @param entry one that `isOf` is true for */
  renamed(name: string, entry: CredentialSettings): this {
    this.name = name;
    this.refusals = new CredentialState();
    this.follow(entry);
    return this;
  }

  /** Takes a newer entry of the same source, apart from its repositories. */
  follow(entry: CredentialSettings): void {
    this.entry = entry;
  }

  /** Tells accounts of the upstream apart, also after a restart: the user, or what the source has been told. */
  get account(): string {
    const { kind, options } = this.settings;
    // A secret prints as `***`.
    return kind === 'static' ? options.username : `${kind} ${JSON.stringify(options)}`;
  }

  /** A user and a password of the upstream file. */
  get isConstant(): boolean {
    const { kind, options } = this.settings;
    return kind === 'static' && options.passwordFile === undefined;
  }

  /** Whether the source is known to have no credentials for the registry. */
  get isEmpty(): boolean {
    const parts = [...this.parts.values()];
    return parts.length > 0 && parts.every(({ isEmpty }) => isEmpty);
  }

  /**
   * Valid credentials for a repository, by its name at the registry.
   * @throws CredentialsUnavailableError while the source fails
   */
  async signIn(repository: string): Promise<SignedIn> {
    try {
      const [name, part] = await this.partOf(repository);
      const credentials = await part.get();
      return { credentials, key: `${this.id}.${this.generation}.${name}` };
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      const message = `the credentials for ${this.context.host} are not available: their source, ${this.settings.kind}, fails`;
      throw new CredentialsUnavailableError(message, retryAfter);
    }
  }

  /** Fetches again what the registry has refused. @returns whether there is something else now. Never throws. */
  async renew(repository: string, refused: UpstreamCredentials | undefined): Promise<boolean> {
    try {
      const [, part] = await this.partOf(repository);
      return await part.renew(refused);
    } catch (error) {
      if (error instanceof CredentialError) return false;
      throw error;
    }
  }

  get status(): CredentialSetState {
    const parts = [...this.parts.values()];
    const held = parts.flatMap(({ current }) => current ?? []);
    const ends = held.flatMap(({ expiresAt }) => expiresAt ?? []);
    return {
      source: this.settings.kind,
      repositories: this.settings.repositories,
      counts: this.counts,
      identities: [...new Set(held.map(({ identity }) => identity))].slice(0, 10),
      expiresAt: ends.length === 0 ? undefined : Math.min(...ends),
      problem: parts.find(({ problem }) => problem !== undefined)?.problem,
    };
  }

  /** Ends the wait for the source when the server ends: a program or a cloud would keep the process. */
  stop(): void {
    for (const part of this.parts.values()) part.stop();
    this.close();
  }

  /** Closes what the source has open. */
  close(): void {
    void this.source?.then(
      (source) => source.close?.(),
      () => undefined,
    );
  }

  private async partOf(repository: string): Promise<readonly [string, RefreshedCredentials]> {
    const source = await this.open();
    const name = (await source.partOf?.(repository)) ?? '';
    const known = this.parts.get(name);
    if (known) return [name, known];
    const { clock } = this.context;
    const part = new RefreshedCredentials(
      () => this.open(),
      name,
      clock,
      this.events,
      () => this.validated,
    );
    this.parts.set(name, part);
    return [name, part];
  }

  /** A password file as it was when the settings were read. */
  private get validated(): UpstreamCredentials | undefined {
    const { kind, options } = this.entry;
    return kind === 'static' ? passwordOf(options) : undefined;
  }

  private open(): Promise<CredentialSource> {
    this.source ??= this.make(this.settings, this.context).catch((error: unknown) => {
      this.source = undefined;
      throw error instanceof CredentialError ? error : new CredentialError('cannot be loaded', { cause: error });
    });
    return this.source;
  }

  private readonly events: CredentialEvents = {
    fetched: () => (this.counts.ok += 1),
    failed: (message, isFirst, isKept) => {
      this.counts.failed += 1;
      const rest = isKept ? 'those in use stay until their end' : 'there are none to use';
      if (isFirst) this.logger.warn(`${this.name}: ${this.settings.kind}: ${message}; ${rest}`);
    },
    replaced: (isOtherAccount) => {
      this.generation += 1;
      if (isOtherAccount)
        this.logger.log(`${this.name}: ${this.settings.kind}: the credentials are of another account now`);
    },
  };
}

/** What decides which credentials an entry has, apart from the content of files. */
function purposeOf({ kind, options }: CredentialSettings, context: SourceContext): object {
  const { host, base, certificateAuthorities, acceptInvalidCerts } = context;
  return { kind, options, host, base, certificateAuthorities, acceptInvalidCerts };
}
