import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../config/access/ldap-filter.js';
import { encodeFilter } from './filter.js';

const encoded = (text: string, user = 'x', dn = 'cn=x') =>
  encodeFilter(parseFilter(text), { user, dn }).toString('hex');
const hex = (text: string) => Buffer.from(text).toString('hex');

describe('a search filter', () => {
  it.each([
    ['(a=b)', 'a306040161040162'],
    ['(a>=b)', 'a506040161040162'],
    ['(a<=b)', 'a606040161040162'],
    ['(a~=b)', 'a806040161040162'],
    ['(a=*)', '870161'],
    ['(!(a=*))', 'a203870161'],
    ['(&(a=*)(b=*))', 'a006870161870162'],
    ['(|(a=*)(b=*))', 'a106870161870162'],
    ['(a=b*c*d)', 'a40e0401613009800162810163820164'],
    ['(a=*c*)', 'a4080401613003810163'],
    ['(a=\\2a\\00)', 'a30704016104022a00'],
    ['(a:1.2:=b)', 'a90b8103312e32820161830162'],
    ['(a:dn:=b)', 'a9098201618301628401ff'],
    ['(:1.2:=b)', 'a9088103312e32830162'],
    [' (a=b) ', 'a306040161040162'],
  ])('%s has the encoding of RFC 4511', (text, expected) => expect(encoded(text)).toBe(expected));

  it.each([
    '',
    'a=b',
    '(a=b',
    '(a=b))',
    '(a=b)(c=d)',
    '()',
    '(&)',
    '(=b)',
    '(a)',
    '(a=b(c)',
    '(a=\\2)',
    '(a=**)',
    '(a>=*)',
  ])('with a mistake is refused: %s', (text) => expect(() => parseFilter(text)).toThrow(/^(must|has|is)/));

  it('that is nested without an end is refused', () => {
    expect(() => parseFilter('(!'.repeat(5000))).toThrow('nested too deeply');
  });

  it.each(['*', '*)(uid=*', 'a)(|(b=*', '\\2a', '{dn}', '{user}', 'ä', 'a b'])('takes a name as it is: %s', (name) => {
    const value = hex(name);
    const size = (value.length / 2).toString(16).padStart(2, '0');
    expect(encoded('(a={user})', name)).toContain(`04${size}${value}`);
    expect(encoded('(&(a=*)(b=x{user}))', name)).toContain(`${hex('x')}${value}`);
  });

  it('takes a DN as it is', () => {
    expect(encoded('(member={dn})', 'x', 'cn=(a*),dc=b')).toContain(hex('cn=(a*),dc=b'));
  });
});
