/** One part of a distinguished name. */
export interface Rdn {
  /** In lower case. */
  readonly type: string;
  readonly value: string;
}

/** The attribute, and a value whose special characters are escaped. */
const rdnPattern = /\s*([A-Za-z0-9.-]+)\s*=((?:\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f]|[^\\,+;"<>])*)(,|\+|$)/y;
const maxParts = 64;

/** Puts a user name into a DN. Each byte that could be syntax is escaped (RFC 4514 §2.4). */
export function fillDn(template: string, user: string): string {
  return template.replaceAll('{user}', () => escapeValue(user));
}

function escapeValue(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9._@-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
}

/** The parts of a DN (RFC 4514 §3), the most specific first; undefined for other text, and parts of several values. */
export function parseDn(text: string): readonly Rdn[] | undefined {
  const parts: Rdn[] = [];
  rdnPattern.lastIndex = 0;
  while (parts.length < maxParts) {
    const [, type, value, end] = rdnPattern.exec(text) ?? [];
    if (type === undefined || value === undefined || end === '+') return undefined;
    parts.push({ type: type.toLowerCase(), value: unescaped(value) });
    if (end === '') return parts;
  }
  return undefined;
}

/** Whether a DN is below another one; case has no meaning, as in directories. */
export function isBelow(dn: readonly Rdn[], base: readonly Rdn[]): boolean {
  const tail = dn.slice(-base.length);
  return (
    dn.length > base.length &&
    base.every(({ type, value }, index) => {
      const other = tail[index];
      return other?.type === type && other.value.toLowerCase() === value.toLowerCase();
    })
  );
}

/** Escapes are bytes of UTF-8, or characters. */
function unescaped(value: string): string {
  if (!value.includes('\\')) return value;
  const parts = value.split(/(\\[0-9A-Fa-f]{2}|\\.)/su).map((part) => {
    if (!part.startsWith('\\')) return Buffer.from(part);
    return /^\\[0-9A-Fa-f]{2}$/.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part.slice(1));
  });
  return Buffer.concat(parts).toString('utf8');
}
