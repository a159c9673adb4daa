import { isIP } from 'node:net';
import { rule } from '../validation/rules.js';
import type { CheckedOptions } from './checked-options.js';

/** A mistake of settings that no rule of a single property finds. */
export type Mistake = ReturnType<CheckedOptions['mistakes']>[number];

/** Text that matches an expression. @param what completes "must be" */
export const IsMatching = (expression: RegExp, what: string) =>
  rule('isMatching', `must be ${what}`, (value) => typeof value === 'string' && expression.test(value));

export const AreScopes = () =>
  rule(
    'areScopes',
    'must be a list of at most 20 OAuth scopes, such as https://www.googleapis.com/auth/cloud-platform',
    (value) =>
      Array.isArray(value) &&
      value.length <= 20 &&
      value.every((scope) => typeof scope === 'string' && /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,256}$/.test(scope)),
  );

/** The base URL of an API that receives secrets. */
export const IsApiUrl = () =>
  rule(
    'isApiUrl',
    'must be an https URL without credentials, query or fragment',
    (value) => typeof value === 'string' && isApiUrl(value),
  );

/** Secrets travel over https, or over http to this machine only. */
export function isApiUrl(text: string): boolean {
  if (text.length > 2048 || !/^https?:\/\/[^\s?#@\\]+$/i.test(text) || !URL.canParse(text)) return false;
  return isSecure(new URL(text));
}

export function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
