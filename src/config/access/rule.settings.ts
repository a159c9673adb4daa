import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import { AreTexts } from './validation.js';
import { parseList, Setting } from '../validation/setting.decorator.js';

/** What a rule may allow. `push` includes `pull`. */
export const rights = ['pull', 'push', 'delete', 'admin'] as const;
export type Right = (typeof rights)[number];

/** Words that stand for many identities; every other one begins with its kind: `user:anna`. */
export const everybody = ['anonymous', 'authenticated'] as const;

/** One entry of the access file's `rules`. */
export class AccessRuleSettings {
  @Setting({
    name: 'repositories',
    parse: parseList,
    description:
      'patterns over namespace and name: * is any text within a component, ** any number of components, {user} and {claim:name} a component that depends on who asks',
  })
  @AreTexts('patterns of repositories such as docker.io/** or local/team/*', 1000, reasonAgainstPattern)
  repositories!: string[];

  @Setting({
    name: 'who',
    parse: parseList,
    description:
      'identities: anonymous (everybody), authenticated (everybody who has signed in), user:NAME, group:NAME, robot:NAME, or the identity of an issuer; * and ** as in repositories',
  })
  @AreTexts('identities such as anonymous, user:anna, group:team or robot:ci', 1000, reasonAgainstIdentity)
  who!: string[];

  @Setting({
    name: 'may',
    parse: parseList,
    description: 'pull, push (which includes pull), delete and admin, in any combination',
  })
  @AreTexts(`rights: ${rights.join(', ')}`, rights.length, (text) =>
    (rights as readonly string[]).includes(text) ? undefined : `must be of ${rights.join(', ')}`,
  )
  may!: Right[];
}

function reasonAgainstPattern(text: string): string | undefined {
  try {
    const unknown = RepositoryPattern.parse(text).placeholders.find(
      (name) => name !== 'user' && !/^claim:./.test(name),
    );
    return unknown === undefined ? undefined : `has the unknown placeholder {${unknown}}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'is not a pattern';
  }
}

/** What is wrong with an entry of `who`. */
export function reasonAgainstIdentity(text: string): string | undefined {
  if ((everybody as readonly string[]).includes(text)) return undefined;
  if (!/^[a-z][a-z0-9-]*:.+$/.test(text))
    return `must be ${everybody.join(', ')}, or a kind and a name such as user:anna`;
  return text.startsWith('anonymous:') || text.startsWith('authenticated:') ? 'has no name of its own' : undefined;
}
