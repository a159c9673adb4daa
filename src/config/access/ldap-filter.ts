/** What `equal` and its siblings compare with; values are as written, with escapes and placeholders. */
type Comparison = 'equal' | 'least' | 'most' | 'approximate';

/** A search filter (RFC 4515) as a tree, so that a name is put into it as a value and cannot become syntax. */
export type LdapFilter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly LdapFilter[] }
  | { readonly kind: 'not'; readonly filter: LdapFilter }
  | { readonly kind: 'present'; readonly attribute: string }
  | { readonly kind: Comparison; readonly attribute: string; readonly value: string }
  | { readonly kind: 'substrings'; readonly attribute: string; readonly parts: readonly string[] }
  | {
      readonly kind: 'extensible';
      readonly attribute?: string;
      readonly rule?: string;
      readonly isOfDn: boolean;
      readonly value: string;
    };

const maxDepth = 16;
const comparisons: Partial<Record<string, Comparison>> = {
  '=': 'equal',
  '>=': 'least',
  '<=': 'most',
  '~=': 'approximate',
};
/** Attribute, `:dn`, matching rule, operator, value. */
const itemPattern = /^([A-Za-z][A-Za-z0-9.;-]*|[0-9.]+)?(:dn)?(?::([A-Za-z0-9.-]+))?(:=|~=|>=|<=|=)([^(]*)$/;

/** @throws Error whose message completes a sentence that begins with the filter's place */
export function parseFilter(text: string): LdapFilter {
  const reader = new FilterReader(text.trim());
  const filter = reader.read();
  if (!reader.isAtEnd) throw new Error('has text after its last parenthesis');
  return filter;
}

class FilterReader {
  private at = 0;

  constructor(private readonly text: string) {}

  get isAtEnd(): boolean {
    return this.at === this.text.length;
  }

  read(depth = 0): LdapFilter {
    if (depth > maxDepth) throw new Error('is nested too deeply');
    this.expect('(');
    const filter = this.readInner(depth);
    this.expect(')');
    return filter;
  }

  private readInner(depth: number): LdapFilter {
    const sign = this.text[this.at];
    if (sign === '&' || sign === '|') {
      this.at += 1;
      return { kind: sign === '&' ? 'and' : 'or', filters: this.readList(depth) };
    }
    if (sign === '!') {
      this.at += 1;
      return { kind: 'not', filter: this.read(depth + 1) };
    }
    const end = this.text.indexOf(')', this.at);
    const item = this.text.slice(this.at, end === -1 ? undefined : end);
    this.at += item.length;
    return parseItem(item);
  }

  private readList(depth: number): LdapFilter[] {
    const filters: LdapFilter[] = [];
    while (this.text[this.at] === '(') filters.push(this.read(depth + 1));
    if (filters.length === 0) throw new Error('has an empty list');
    return filters;
  }

  private expect(sign: string): void {
    if (this.text[this.at] !== sign) throw new Error(`must have ${sign} at character ${this.at + 1}`);
    this.at += 1;
  }
}

function parseItem(item: string): LdapFilter {
  const [, attribute, dn, rule, operator = '', value = ''] = itemPattern.exec(item) ?? [];
  const hasAttribute = attribute !== undefined;
  if (operator === '' || (operator === ':=' ? !hasAttribute && rule === undefined : !hasAttribute))
    throw new Error('has a part that is not an attribute, a comparison and a value');
  if (/\\(?![0-9A-Fa-f]{2})/.test(value)) throw new Error('has a backslash without two hexadecimal digits');
  if (operator === ':=')
    return {
      kind: 'extensible',
      ...(hasAttribute && { attribute }),
      ...(rule !== undefined && { rule }),
      isOfDn: dn !== undefined,
      value,
    };
  const kind = comparisons[operator];
  if (!hasAttribute || kind === undefined || dn !== undefined || rule !== undefined)
    throw new Error('has a matching rule without :=');
  if (operator === '=' && value === '*') return { kind: 'present', attribute };
  if (!value.includes('*')) return { kind, attribute, value };
  const parts = value.split('*');
  if (operator !== '=' || parts.slice(1, -1).includes('') || parts.every((part) => part === ''))
    throw new Error('has a star where none can be');
  return { kind: 'substrings', attribute, parts };
}
