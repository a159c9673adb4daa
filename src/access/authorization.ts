import { Secret } from '../config/values/secret.js';

/** The credentials of a request. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
  | { readonly kind: 'token'; readonly token: Secret }
  | { readonly kind: 'malformed' };

/** Longest header in characters: tokens of issuers with many groups have some 10,000. */
const maxLength = 16 * 1024;

/**
 * Reads the Authorization headers of a request (RFC 9110 §11.6.2). Several are malformed: what checks one and uses another
 * can be deceived.
 */
export function readAuthorization(headers: readonly string[]): Credentials {
  const [header, ...more] = headers;
  if (header === undefined) return { kind: 'none' };
  const [, scheme = '', value = ''] = /^([!-~]+) +([!-~]+)$/.exec(header.length > maxLength ? '' : header) ?? [];
  if (more.length > 0 || value === '') return { kind: 'malformed' };
  if (scheme.toLowerCase() === 'bearer') return { kind: 'token', token: new Secret(value) };
  return scheme.toLowerCase() === 'basic' ? readBasic(value) : { kind: 'malformed' };
}

/** RFC 7617 §2: the first colon ends the name. */
function readBasic(value: string): Credentials {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return { kind: 'malformed' };
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // Neither part may have control characters.
  if (colon === -1 || /[\u0000-\u001f\u007f]/.test(text)) return { kind: 'malformed' };
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)];
  // Clients send an empty pair for "no credentials".
  if (username === '' && password === '') return { kind: 'none' };
  return { kind: 'password', username, password: new Secret(password) };
}
