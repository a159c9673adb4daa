import { isUtf8 } from 'node:buffer';
import { Secret } from '../../values/secret.js';

/** What `isSendable` is false for. */
export const unsendable = 'control characters, or text that is not UTF-8';

/** Whether a user or a secret, which may be empty, reaches a registry as it was meant: bytes that are not UTF-8 have been replaced. */
export function isSendable(text: string): boolean {
  return !/[\u0000-\u001f\u007f\ufffd\ud800-\udfff]/u.test(text);
}

/** What an entry of `auths` gives. */
export interface AuthEntry {
  /** Empty for an identity token that has none. */
  readonly username: string;
  readonly password: Secret;
  readonly kind: 'password' | 'identity-token';
}

/** @throws Error whose message has nothing of the entry */
export function parseAuth(entry: unknown): AuthEntry {
  if (typeof entry !== 'object' || entry === null) throw new Error('has an entry that is not a map');
  const field = (name: string) => textOf(entry, name);
  const { username, password } = splitAuth(field('auth')) ?? {
    username: field('username'),
    password: field('password'),
  };
  const token = field('identitytoken');
  if (![username, password, token].every(isSendable)) throw new Error(`has an entry with ${unsendable}`);
  if (token !== '') return { username, password: new Secret(token), kind: 'identity-token' };
  if (username.includes(':')) throw new Error('has an entry whose user has a colon, which ends a user');
  if (username !== '' && password !== '') return { username, password: new Secret(password), kind: 'password' };
  if (field('registrytoken') !== '') {
    throw new Error('has only a registrytoken, which cannot be renewed: sign in with a password or an identity token');
  }
  throw new Error(`has an entry without a ${username === '' ? 'user' : 'password'}`);
}

function textOf(entry: object, name: string): string {
  const value: unknown = Reflect.get(entry, name) ?? '';
  if (typeof value !== 'string') throw new Error(`has an entry whose ${name} is not text`);
  return value;
}

/** @returns undefined when there is none. @throws Error as above */
function splitAuth(auth: string): { readonly username: string; readonly password: string } | undefined {
  if (auth === '') return undefined;
  const isBase64 = /^[A-Za-z0-9+/\r\n]+={0,2}[\r\n]*$/.test(auth);
  const bytes = Buffer.from(auth, 'base64');
  const text = isBase64 && isUtf8(bytes) ? bytes.toString('utf8') : '';
  const colon = text.indexOf(':');
  if (colon < 1) throw new Error('has an entry whose auth is not user:password in base64');
  // Some earlier clients filled up the text.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/^\0+|\0+$/g, '') };
}
