import type { Namespace } from '../oci/namespace.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { AccessRules } from './rules/access.rules.js';
import { isAnonymous, type Identity } from './rules/identity.js';

/** What somebody may see of what is stored: by the rules alone, since a page is in the scope of no token. */
export class Reader {
  constructor(
    private readonly rules: AccessRules,
    private readonly identity: Identity,
  ) {}

  get isAnonymous(): boolean {
    return isAnonymous(this.identity);
  }

  /** Undefined for somebody who has not signed in. */
  get name(): string | undefined {
    return this.isAnonymous ? undefined : this.identity.subject;
  }

  maySee(repository: RepositoryRef): boolean {
    return this.rules.decide(this.identity, 'pull', repository).isAllowed;
  }

  mayKnow(namespace: Namespace): boolean {
    return this.rules.mayKnow(this.identity, namespace);
  }

  /** Whether there may be anything to see at all. */
  get maySeeSomething(): boolean {
    return this.rules.allowancesOf(this.identity).some(({ rights }) => rights.includes('pull'));
  }
}
