import { ValidateBy } from 'class-validator';
import { isText, rule } from '../validation/rules.js';
import { parseFilter } from './ldap-filter.js';

/**
 * A list of 1 to `most` texts, each of which passes the check. The message names the first that does not by its place.
 * @param reasonAgainst completes a sentence that begins with the text's place; undefined for a valid text
 */
export const AreTexts = (what: string, most: number, reasonAgainst: (text: string) => string | undefined) =>
  ValidateBy({
    name: 'areTexts',
    validator: {
      validate: (value) => reasonAgainstTexts(value, what, most, reasonAgainst) === undefined,
      defaultMessage: (context) => reasonAgainstTexts(context?.value, what, most, reasonAgainst) ?? 'is not valid',
    },
  });

function reasonAgainstTexts(
  value: unknown,
  what: string,
  most: number,
  reasonAgainst: (text: string) => string | undefined,
): string | undefined {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= most;
  if (!isList || !value.every((text) => typeof text === 'string')) return `must be a list of ${what}`;
  const reasons = value.map((text: string) => (isText(text, 1024) ? reasonAgainst(text) : 'must be text'));
  const first = reasons.findIndex((reason) => reason !== undefined);
  return first === -1 ? undefined : `the ${ordinal(first + 1)} ${reasons[first]}`;
}

function ordinal(number: number): string {
  const ending = [11, 12, 13].includes(number % 100) ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${ending}`;
}

/** Text of a form that only the caller knows. @param what completes \"must be\" */
export const IsTextOf = (what: string, isValid: (text: string) => boolean) =>
  rule('isTextOf', `must be ${what}`, (value) => isText(value, 1024) && isValid(String(value)));

export const IsHttpsUrl = () =>
  rule('isHttpsUrl', 'must be an https URL without credentials, query or fragment', (value) => {
    if (typeof value !== 'string' || !value.startsWith('https://') || !URL.canParse(value)) return false;
    const { username, password, search, hash } = new URL(value);
    return username === '' && password === '' && search === '' && hash === '';
  });

/** A search filter of LDAP. @param placeholders those that it may have, of which it needs one */
export const IsFilter = (placeholders: readonly string[]) =>
  ValidateBy({
    name: 'isFilter',
    validator: {
      validate: (value) => reasonAgainstFilter(value, placeholders) === undefined,
      defaultMessage: (context) => reasonAgainstFilter(context?.value, placeholders) ?? 'is not valid',
    },
  });

function reasonAgainstFilter(value: unknown, placeholders: readonly string[]): string | undefined {
  if (!isText(value, 1024)) return 'must be a search filter';
  const text = String(value);
  const used = [...text.matchAll(/\{([a-z]*)\}/g)].map(([, name = '']) => name);
  const known = placeholders.map((name) => `{${name}}`).join(' or ');
  if (used.length === 0 || !used.every((name) => placeholders.includes(name)))
    return `must have ${known}, and no other placeholder`;
  try {
    parseFilter(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'is not a filter';
  }
}

export const AreClaimPatterns = () =>
  rule('areClaimPatterns', 'must be a map from claims to lists of values, numbers in quotes', areLists);

export const AreGroups = () => rule('areGroups', 'must be a map from groups to lists of user names', areLists);

function areLists(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const areTexts = (list: unknown) => Array.isArray(list) && list.length > 0 && list.every((text) => isText(text, 512));
  return Object.entries(value).every(([name, list]) => isText(name, 128) && areTexts(list));
}
