import { comparePatterns, patternWithin } from '../../config/credentials/credential-entries.js';
import type { CredentialSettings } from '../../config/credentials/credential.settings.js';
import { StaticSettings } from '../../config/credentials/static.settings.js';
import type { EndpointSettings } from '../../config/upstream.settings.js';
import type { Namespace } from '../../oci/namespace.js';
import type { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import type { SourceContext } from './credential.source.js';
import { CredentialSet, type CredentialSetState } from './credential.set.js';

/** Which credentials an upstream takes for which repository. */
export class RepositoryCredentials {
  readonly sets: readonly CredentialSet[];
  /** The most specific pattern first. */
  private readonly patterns: readonly (readonly [RepositoryPattern, CredentialSet])[];
  private readonly others: CredentialSet | undefined;
  /** Sets that later settings of the upstream use. */
  private readonly handedOver = new Set<CredentialSet>();

  /**
   * @param name of the upstream, for messages.
   * @param before those of earlier settings: what they hold of the same source for the same registry stays in use
   */
  constructor(
    private readonly namespace: Namespace,
    name: string,
    settings: Readonly<EndpointSettings>,
    context: SourceContext,
    before: readonly RepositoryCredentials[] = [],
  ) {
    this.sets = entriesOf(settings).map((entry) => {
      for (const each of before) {
        const set = each.handOver(entry, context);
        if (set) return set.renamed(name, entry);
      }
      return new CredentialSet(name, entry, context);
    });
    this.patterns = this.sets
      .flatMap((set) => set.settings.repositories.map((pattern) => [pattern, set] as const))
      .sort(([a], [b]) => comparePatterns(a, b))
      .map(([pattern, set]) => [patternWithin(namespace, pattern), set] as const);
    this.others = this.sets.find((set) => set.settings.repositories.length === 0);
  }

  /** Undefined for anonymous access. @param repository its name for clients */
  of(repository: string): CredentialSet | undefined {
    if (this.patterns.length === 0) return this.others;
    const ref = { namespace: this.namespace, name: repository };
    return this.patterns.find(([pattern]) => pattern.matches(ref))?.[1] ?? this.others;
  }

  /** Of sources whose credentials change, in the order of the settings. */
  get states(): CredentialSetState[] {
    return this.sets.filter(({ isConstant }) => !isConstant).map(({ status }) => status);
  }

  /** Takes newer settings that mean the same: the content of password files may be another. */
  follow(settings: Readonly<EndpointSettings>): void {
    for (const [index, entry] of entriesOf(settings).entries()) this.sets[index]?.follow(entry);
  }

  /** When the server ends. */
  stop(): void {
    for (const set of this.sets) set.stop();
  }

  close(): void {
    for (const set of this.sets) if (!this.handedOver.has(set)) set.close();
  }

  private handOver(entry: CredentialSettings, context: SourceContext): CredentialSet | undefined {
    const found = this.sets.find((set) => !this.handedOver.has(set) && set.isOf(entry, context));
    if (found) this.handedOver.add(found);
    return found;
  }
}

/** A user and a password beside the other keys of the upstream are for all repositories that no entry is for. */
function entriesOf(settings: Readonly<EndpointSettings>): readonly CredentialSettings[] {
  const { username, password, passwordFile, credentialSources } = settings;
  if (username === undefined || (password === undefined && passwordFile === undefined)) return credentialSources;
  const options = new StaticSettings();
  options.username = username;
  options.password = password;
  if (passwordFile !== undefined) options.passwordFile = passwordFile;
  return [...credentialSources, { kind: 'static', options, repositories: [] }];
}
