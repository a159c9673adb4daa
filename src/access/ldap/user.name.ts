const maxLength = 256;
/** What directories leave out of a comparison, and spaces of which they count only some (RFC 4518 §2.2 and §2.6). */
const ambiguous = /^\s|\s$|\s\s|[\p{C}\p{Default_Ignorable_Code_Point}]/u;

/**
 * A user name as a directory compares it, in lower case, so that an account has one name here however it is written.
 * Undefined for what has no such form.
 */
export function canonicalName(typed: string): string | undefined {
  if (typed.length > maxLength) return undefined;
  const name = typed.normalize('NFKC').toLowerCase().normalize('NFKC');
  return name === '' || ambiguous.test(name) ? undefined : name;
}
