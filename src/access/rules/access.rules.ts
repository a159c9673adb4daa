import type { AccessRuleSettings, Right } from '../../config/access/rule.settings.js';
import type { Namespace } from '../../oci/namespace.js';
import { matchesPath, matchesPattern } from '../../oci/patterns/pattern.js';
import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { fillingOf, isAnonymous, type Identity } from './identity.js';

/** Whether a request is allowed, and the number of the first rule that allows it, from 1. */
export type Decision = { readonly isAllowed: true; readonly rule: number } | { readonly isAllowed: false };

/** A line of what an identity may do. */
export interface Allowance {
  /** Number of the rule, from 1. */
  readonly rule: number;
  readonly repository: string;
  readonly rights: readonly Right[];
}

/** A rule that gives a right to a repository. */
export interface Granting {
  /** Number of the rule, from 1. */
  readonly rule: number;
  /** Identities, as the rule has them. */
  readonly who: readonly string[];
  /** What `{user}` or a claim has to be, where the patterns depend on it. */
  readonly filling?: string;
}

/** A rule as the access file has it. */
export type RuleText = Pick<AccessRuleSettings, 'repositories' | 'who' | 'may'>;

interface Rule {
  readonly number: number;
  readonly repositories: readonly RepositoryPattern[];
  readonly who: readonly string[];
  readonly rights: ReadonlySet<Right>;
}

const denied: Decision = { isAllowed: false };

/**
 * The rules of the access file. Rules only allow, and add up: their order has no meaning, and what none allows is denied
 * (promise P23). Pure and without I/O.
 */
export class AccessRules {
  private readonly rules: readonly Rule[];

  /** @param settings validated */
  constructor(settings: readonly RuleText[]) {
    this.rules = settings.map(({ repositories, who, may }, index) => ({
      number: index + 1,
      repositories: repositories.map((pattern) => RepositoryPattern.parse(pattern)),
      who,
      rights: new Set(may.includes('push') ? [...may, 'pull' as const] : may),
    }));
  }

  decide(identity: Identity, right: Right, repository: RepositoryRef): Decision {
    const fill = fillingOf(identity);
    const rule = this.rules.find(
      (each) => isFor(each, identity, right) && each.repositories.some((pattern) => pattern.matches(repository, fill)),
    );
    return rule ? { isAllowed: true, rule: rule.number } : denied;
  }

  /** Whether the identity has the right for every repository there can be. */
  decideEverywhere(identity: Identity, right: Right): Decision {
    const rule = this.rules.find(
      (each) => isFor(each, identity, right) && each.repositories.some((pattern) => pattern.isEverything),
    );
    return rule ? { isAllowed: true, rule: rule.number } : denied;
  }

  /** The rules that give a right to a repository to anybody. */
  grantingTo(right: Right, repository: RepositoryRef): Granting[] {
    return this.rules
      .filter(({ rights }) => rights.has(right))
      .flatMap(({ number, repositories, who }): Granting[] => {
        if (repositories.some((pattern) => pattern.matches(repository))) return [{ rule: number, who }];
        const filling = repository.name
          .split('/')
          .find((component) => repositories.some((pattern) => pattern.matches(repository, () => component)));
        return filling === undefined ? [] : [{ rule: number, who, filling }];
      });
  }

  /** Whether some repository that the namespace can have may be pulled. */
  mayKnow(identity: Identity, namespace: Namespace): boolean {
    return this.rules.some(
      (each) => isFor(each, identity, 'pull') && each.repositories.some((pattern) => pattern.mayBeIn(namespace)),
    );
  }

  /** What the identity may do, rule by rule. */
  allowancesOf(identity: Identity): Allowance[] {
    const fill = fillingOf(identity);
    return this.rules
      .filter(({ who }) => who.some((pattern) => isOf(identity, pattern)))
      .flatMap(({ number, repositories, rights }) =>
        repositories
          .filter((pattern) => pattern.placeholders.every((name) => fill(name) !== undefined))
          .map((pattern) => ({ rule: number, repository: pattern.describe(fill), rights: [...rights] })),
      );
  }
}

function isFor({ rights, who }: Rule, identity: Identity, right: Right): boolean {
  return rights.has(right) && who.some((pattern) => isOf(identity, pattern));
}

/** `anonymous` stands for everybody: signing in takes no right away. */
export function isOf(identity: Identity, pattern: string): boolean {
  if (pattern === 'anonymous') return true;
  if (isAnonymous(identity)) return false;
  if (pattern === 'authenticated') return true;
  const [kind, name] = splitKind(pattern);
  if (kind === 'group') return identity.groups.some((group) => matchesPattern(name, group));
  const [ownKind, ownName] = splitKind(identity.subject);
  return kind === ownKind && matchesPath(name, ownName);
}

function splitKind(text: string): [kind: string, name: string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}
