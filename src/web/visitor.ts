import type { AccessService } from '../access/access.service.js';
import type { Reader } from '../access/reader.js';
import type { Decision } from '../access/rules/access.rules.js';
import type { SignedIn } from '../access/sign-in.js';
import type { Right } from '../config/access/rule.settings.js';
import type { Namespace } from '../oci/namespace.js';
import type { RepositoryRef } from '../oci/repository.js';

/** Whoever looks at a page, and what he may see and do. Pages decide by nothing else. */
export class Visitor {
  private constructor(
    private readonly access: AccessService,
    /** Undefined without an access file. */
    readonly signedIn: SignedIn | undefined,
    /** Sees only what the rules allow; undefined for somebody who sees everything. */
    readonly reader: Reader | undefined,
    /** Whether the whole server is his to administer. Without an access file only at the admin address: being able to reach another proves nothing. */
    readonly isAdministrator: boolean,
    private readonly isAtAdminAddress = false,
  ) {}

  /** Somebody at the admin address, where nobody is asked who he is. @param signedIn undefined without an access file */
  static atAdminAddress(access: AccessService, signedIn: SignedIn | undefined): Visitor {
    return new Visitor(access, signedIn, undefined, true, true);
  }

  /**
   * Decides for every page who its visitor is.
   * @returns undefined if he has to sign in first: nothing is to be seen without, or his credentials are wrong
   */
  static of(access: AccessService, signedIn: SignedIn | undefined, hasCredentials: boolean): Visitor | undefined {
    if (!access.isEnabled) return new Visitor(access, undefined, undefined, false);
    // A page is in the scope of no token.
    if (signedIn?.scopes !== undefined) return undefined;
    if (access.mayAdminister(signedIn)) return new Visitor(access, signedIn, undefined, true);
    const reader = access.readerOf(signedIn);
    if (reader.isAnonymous && hasCredentials) return undefined;
    return reader.maySeeSomething ? new Visitor(access, signedIn, reader, false) : undefined;
  }

  /** Undefined for somebody who has not signed in. */
  get name(): string | undefined {
    const { signedIn } = this;
    return signedIn && this.access.readerOf(signedIn).name;
  }

  /** Whether signing in could show more. */
  get maySignIn(): boolean {
    return this.access.isEnabled && this.name === undefined && !this.isAtAdminAddress;
  }

  /** Whether the repository exists for him. */
  maySee(repository: RepositoryRef): boolean {
    return this.reader?.maySee(repository) ?? true;
  }

  /** Whether any repository of a namespace may exist for him. */
  mayKnow(namespace: Namespace): boolean {
    return this.reader?.mayKnow(namespace) ?? true;
  }

  /** Identifies him for the forms that he was sent. */
  get identity(): string {
    return this.isAtAdminAddress ? 'at the admin address' : (this.name ?? 'anonymous');
  }

  /** Whether an access file says who may administer this server. */
  get hasRules(): boolean {
    return this.access.isEnabled;
  }

  /** Whether he may do something with a repository. Without an access file everybody may pull, and pages change nothing. */
  may(right: Right, repository: RepositoryRef): boolean {
    if (this.isAtAdminAddress) return true;
    if (!this.access.isEnabled) return right === 'pull';
    return this.decide(right, repository).isAllowed;
  }

  /** Number of the rule that lets him do something, from 1; undefined where no rule decides. @param repository or everything */
  ruleOf(right: Right, repository?: RepositoryRef): number | undefined {
    if (this.isAtAdminAddress || !this.access.isEnabled) return undefined;
    const decision = this.decide(right, repository);
    return decision.isAllowed ? decision.rule : undefined;
  }

  private decide(right: Right, repository?: RepositoryRef): Decision {
    const { access, signedIn } = this;
    if (right === 'admin') return access.decideAdministration(signedIn, repository);
    return signedIn && repository ? access.decide(signedIn, right, repository) : { isAllowed: false };
  }
}
