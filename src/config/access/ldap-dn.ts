import { IsTextOf } from './validation.js';

const name = '[A-Za-z][A-Za-z0-9-]*';
const oid = String.raw`\d+(?:\.\d+)*`;
/** Special characters are escaped; spaces at the ends would not be part of the value (RFC 4514 §2.4). */
const value = String.raw`(?! )(?:\\[0-9A-Fa-f]{2}|\\[^0-9A-Fa-f]|[^\\,+;"<>])+(?<!(?<!\\) )`;
const part = `(?:${name}|${oid})=${value}`;
const dnPattern = new RegExp(String.raw`^${part}(?:(?:\+|, ?)${part})*$`, 'u');
const plainPattern = new RegExp(`^${name}=${value}(?:, ?${name}=${value})*$`, 'u');

const form = 'without a space next to = or before a comma, and with special characters escaped';

export const IsDn = () => IsTextOf(`a DN such as ou=people,dc=example,dc=com, ${form}`, (text) => dnPattern.test(text));

/** The DNs of groups are compared with it: directories send them by the names of attributes. */
export const IsGroupBase = () =>
  IsTextOf(`a DN such as ou=groups,dc=example,dc=com, without + and OIDs, ${form}`, (text) => plainPattern.test(text));

export const IsUserDn = () =>
  IsTextOf(
    `a DN with {user} in a value, such as uid={user},ou=people,dc=example,dc=com, ${form}`,
    (text) => dnPattern.test(text) && text.includes('{user}'),
  );
