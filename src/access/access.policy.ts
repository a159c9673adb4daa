import type { AccessSettings } from '../config/access/access.settings.js';
import { ConfigurationError, type Problem } from '../config/configuration-error.js';
import { AuditLog } from './audit.log.js';
import { Authenticator } from './authenticators/authenticator.js';
import { ClientOrigins } from './client.origin.js';
import type { FileContext, WatchedFile } from './files/watched.file.js';
import { RateLimits } from './limits/rate.limits.js';
import { AccessRules } from './rules/access.rules.js';
import type { KeyStore } from './tokens/key.store.js';
import { TokenKeys } from './tokens/token.keys.js';

/** What one version of the access file says, with the files that it names. All of it takes effect at once. */
export class AccessPolicy {
  readonly rules: AccessRules;
  readonly origins: ClientOrigins;
  /** The name of this server in the token protocol, which its tokens are issued for. */
  readonly service: string;

  private constructor(
    readonly settings: AccessSettings,
    readonly authenticator: Authenticator,
    readonly keys: TokenKeys,
    readonly audit: AuditLog,
    readonly limits: RateLimits,
  ) {
    const { publicUrl, trustedProxies, rules } = settings;
    this.rules = new AccessRules(rules);
    this.origins = new ClientOrigins(publicUrl, trustedProxies);
    this.service = publicUrl === undefined ? 'oci-registry' : new URL(publicUrl).host;
  }

  /**
   * Reads everything that the access file names.
   * @param previous the version before: what has not changed is taken over
   * @throws ConfigurationError when a file cannot be used; StorageError when the key of tokens cannot be kept
   */
  static async open(
    settings: AccessSettings,
    context: FileContext,
    store: KeyStore,
    previous?: AccessPolicy,
  ): Promise<AccessPolicy> {
    const authenticator = new Authenticator(settings, context, previous?.authenticator);
    const keys = new TokenKeys(settings.tokenKeyFile, store, context, previous?.keys);
    const loads = await Promise.allSettled([authenticator.load(), keys.loadFile()]);
    const problems = loads.flatMap((load): Problem[] => {
      if (load.status === 'fulfilled') return [];
      const reason = load.reason instanceof Error ? load.reason.message : 'unreadable';
      return [{ path: '--access-file', kind: 'a file', reason }];
    });
    if (problems.length > 0) throw new ConfigurationError(problems);
    await keys.loadStored();
    const { auditLog } = settings;
    const isSameLog = previous?.settings.auditLog === auditLog;
    const audit = isSameLog && previous ? previous.audit : await AuditLog.open(auditLog, context);
    const limits = new RateLimits(settings.limits, () => context.clock.monotonic(), previous?.limits);
    return new AccessPolicy(settings, authenticator, keys, audit, limits);
  }

  /** The files that the access file names. */
  get files(): readonly WatchedFile<unknown>[] {
    return this.keys.file ? [...this.authenticator.files, this.keys.file] : this.authenticator.files;
  }
}
