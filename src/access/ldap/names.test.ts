import { describe, expect, it } from 'vitest';
import { fillDn, isBelow, parseDn } from './dn.js';
import { GroupNames } from './group.names.js';
import { canonicalName } from './user.name.js';

describe('a DN', () => {
  it.each(['anna', 'a,ou=x', 'a+b=c', '#a', ' a ', '"a"', 'a\\', 'a;b<c>', 'ä', '𝒂', '\u0000', 'a=b'])(
    'with the name %s has it in one value',
    (name) => {
      const dn = fillDn('uid={user},ou=people', name);
      expect(parseDn(dn)).toEqual([
        { type: 'uid', value: name },
        { type: 'ou', value: 'people' },
      ]);
    },
  );

  it.each([
    ['CN=Team A,OU=Groups', ['Team A', 'Groups']],
    ['cn=a\\, b, ou = x', ['a, b', ' x']],
    ['cn=a\\20', ['a ']],
    ['cn=\\C3\\A4', ['ä']],
    ['cn=\\𝒂', ['𝒂']],
  ])('is read: %s', (text, values) => expect(parseDn(text)?.map(({ value }) => value)).toEqual(values));

  it.each(['', 'team', 'cn', 'cn=a+uid=b', 'cn=a,', 'cn="a"', 'cn=a\\', 'cn=a\\2', `${'cn=a,'.repeat(100)}cn=b`])(
    'is not: %s',
    (text) => expect(parseDn(text)).toBeUndefined(),
  );

  it('is below another by whole parts, in any case', () => {
    const below = (dn: string, base: string) => isBelow(parseDn(dn)!, parseDn(base)!);
    expect(below('cn=a,OU=Groups,dc=x', 'ou=groups,DC=X')).toBe(true);
    expect(below('cn=a,ou=x,ou=groups,dc=x', 'ou=groups,dc=x')).toBe(true);
    expect(below('ou=groups,dc=x', 'ou=groups,dc=x')).toBe(false);
    expect(below('cn=a,ou=mygroups,dc=x', 'ou=groups,dc=x')).toBe(false);
    expect(below('cn=a\\,ou=groups,dc=x', 'ou=groups,dc=x')).toBe(false);
  });
});

describe('the names of groups', () => {
  it('are those of the attribute and below the base alone', () => {
    const names = new GroupNames({ groupName: 'CN', groupBase: 'ou=groups,dc=x' });
    const dns = [
      'CN=Team,ou=groups,dc=x',
      'ou=team,ou=groups,dc=x',
      'cn=team,ou=own,dc=x',
      'team',
      'cn=,ou=groups,dc=x',
    ];
    expect(names.ofDns(dns)).toEqual(['Team']);
    expect(new GroupNames({ groupName: 'cn', groupBase: 'ou=a+ou=b' }).ofDns(dns)).toEqual([]);
  });
});

describe('a user name', () => {
  it.each([
    ['Anna', 'anna'],
    ['ＡＮＮＡ', 'anna'],
    ['anna bell', 'anna bell'],
    ['a\u0308nna', 'änna'],
  ])('%s is %s', (typed, name) => expect(canonicalName(typed)).toBe(name));

  it.each(['', ' anna', 'anna ', 'anna  bell', 'an\u00ADna', 'an\u200Bna', 'an\uFE0Fna', 'a\u0000', 'x'.repeat(257)])(
    'of which a directory would leave something out is none: %s',
    (typed) => expect(canonicalName(typed)).toBeUndefined(),
  );
});
