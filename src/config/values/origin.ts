/** Longest origin in characters. */
const maxLength = 2048;

/**
 * The origin of an http or https URL that has nothing else: no user, path, query or fragment, not even an empty one. Text
 * that `URL` would repair, as backslashes and line breaks, is refused.
 */
export function parseOrigin(text: string): string | undefined {
  if (text.length > maxLength || !/^https?:\/\/[^\s/?#@\\]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}
