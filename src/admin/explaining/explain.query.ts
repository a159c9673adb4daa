import type { NamedSubject } from '../../access/rules/identity.js';
import { OciError } from '../../oci/error.js';

/** Most groups and claims of a request, and characters of each. */
const maxParts = 50;
const maxLength = 512;

/** The question of a request: what is explained, and for whom. */
export interface ExplainQuery {
  readonly ref: string;
  readonly subject: NamedSubject | undefined;
}

/** @throws OciError REQUEST_INVALID */
export function readExplainQuery(query: unknown): ExplainQuery {
  const { ref, as, group, claim } = query as Record<string, unknown>;
  if (typeof ref !== 'string' || ref === '') throw invalid('ref must be an image reference');
  if (as === undefined || as === '') return { ref, subject: undefined };
  if (typeof as !== 'string' || as.length > maxLength || !isSubject(as))
    throw invalid('as must be anonymous, or a kind and a name such as user:anna');
  const claims = textsOf(claim, 'claim').map((text): [string, string] => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw invalid('claim must be name=value');
    return [name, value];
  });
  return { ref, subject: { as, groups: textsOf(group, 'group'), claims: Object.fromEntries(claims) } };
}

function isSubject(text: string): boolean {
  return text === 'anonymous' || (/^[a-z][a-z0-9-]*:.+$/.test(text) && !text.startsWith('group:'));
}

function textsOf(value: unknown, name: string): string[] {
  const all: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  const texts = all.filter((each): each is string => typeof each === 'string' && each.length <= maxLength);
  if (texts.length !== all.length || texts.length > maxParts) throw invalid(`${name} is too long, or has too many`);
  return texts;
}

function invalid(message: string): OciError {
  return new OciError('REQUEST_INVALID', message);
}
