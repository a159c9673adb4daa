import { Injectable } from '@nestjs/common';
import { AccessService } from '../../access/access.service.js';
import type { Granting } from '../../access/rules/access.rules.js';
import type { NamedSubject } from '../../access/rules/identity.js';
import type { RepositoryRef } from '../../oci/repository.js';

/** Who may pull a repository. */
export interface ExplainedAccess {
  /** Without an access file, everybody may pull. */
  readonly isEnabled: boolean;
  /** The rules of the access file that let anybody pull, numbered from 0 as in the file. */
  readonly rules: readonly Granting[];
  /** Of the identity in question. */
  readonly decision?: { readonly as: string; readonly isAllowed: boolean; readonly rule?: number };
}

/** Explains what the access file says about pulls of a repository. */
@Injectable()
export class AccessExplanation {
  constructor(private readonly access: AccessService) {}

  explain(repository: RepositoryRef, subject: NamedSubject | undefined): ExplainedAccess {
    if (!this.access.isEnabled)
      return { isEnabled: false, rules: [], ...(subject && { decision: { as: subject.as, isAllowed: true } }) };
    const rules = this.access.pullersOf(repository).map((each) => ({ ...each, rule: each.rule - 1 }));
    return { isEnabled: true, rules, ...(subject && { decision: this.decide(repository, subject) }) };
  }

  private decide(repository: RepositoryRef, subject: NamedSubject): NonNullable<ExplainedAccess['decision']> {
    const decision = this.access.decideByRules(this.access.identityOf(subject), 'pull', repository);
    return decision.isAllowed
      ? { as: subject.as, isAllowed: true, rule: decision.rule - 1 }
      : { as: subject.as, isAllowed: false };
  }
}
