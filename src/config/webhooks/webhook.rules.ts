import { isText, rule } from '../validation/rules.js';
import { Secret } from '../values/secret.js';

/** Values by name in lower case; a value that is no text stays as it is, for the rule to reject. */
export type Headers = Readonly<Record<string, Secret>>;

/** What the request itself sets. */
const reserved = new Set(['connection', 'content-length', 'content-type', 'expect', 'host', 'te', 'trailer']);
const isReserved = (name: string) => reserved.has(name) || /^(transfer-|proxy-|keep-alive$|upgrade$)/.test(name);

export const IsWebhookUrl = () =>
  rule('isWebhookUrl', 'must be an http or https URL without credentials and fragment', (value) => {
    if (!isText(value, 2048) || !/^https?:\/\//.test(String(value)) || !URL.canParse(String(value))) return false;
    const { username, password, hash } = new URL(String(value));
    return username === '' && password === '' && hash === '';
  });

export const AreHeaders = () =>
  rule(
    'areHeaders',
    'must be a map from names to values; those that every request has, such as Host and Content-Type, are set already',
    (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      const headers = Object.entries(value);
      return headers.length <= 32 && headers.every(([name, text]) => isHeader(name, text));
    },
  );

function isHeader(name: string, value: unknown): boolean {
  const isName = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) && !isReserved(name);
  // Node sends headers as Latin-1.
  return isName && value instanceof Secret && isText(value.reveal(), 8192) && !/[^ -\u00ff]/.test(value.reveal());
}

/** Hides the values; leaves anything but a map of texts for the rule to reject. */
export function toHeaders(value: unknown): Headers {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value as Headers;
  const hidden = Object.entries(value).map(([name, text]: [string, unknown]) => [
    name.toLowerCase(),
    typeof text === 'string' ? new Secret(text) : text,
  ]);
  return Object.fromEntries(hidden) as Headers;
}
