import { describe, expect, it } from 'vitest';
import { readAccess } from '../../config/access/access-file.js';
import { warningsOf } from './rule.warnings.js';

const namespaces = { hosted: ['local'], mirrored: ['docker.io', 'ghcr.io'], mirrorsUnknown: true };
const known =
  "users_file: /u\nrobots_file: /r\ngroups: { team: [anna] }\nissuers: [{ issuer: 'https://i.example', audience: a, identity: 'ci:{sub}' }]\n";
const names = { users: new Set(['anna']), robots: new Set(['ci']) };
const warnings = (rule: string, head = known, places = namespaces) =>
  warningsOf(readAccess(`${head}rules: [${rule}]`), places, names);

describe('a rule that can never have an effect is a warning', () => {
  it.each([
    ["{ repositories: ['locl/**'], who: [anonymous], may: [pull] }", 'locl/** matches no namespace'],
    ["{ repositories: ['quay.io:8443/**'], who: [anonymous], may: [pull] }", 'quay.io:8443/** matches no namespace'],
    ["{ repositories: ['docker.io/**'], who: [authenticated], may: [push] }", 'push has no effect'],
    ["{ repositories: ['local/**'], who: ['group:tem'], may: [pull] }", 'group:tem is nobody'],
    ["{ repositories: ['local/**'], who: ['github:acme/*'], may: [pull] }", 'no issuer gives github:'],
    ["{ repositories: ['local/{user}/**'], who: ['robot:ci'], may: [pull] }", '{user} is never filled'],
    [
      `{ repositories: ['local/${'a/'.repeat(130)}**'], who: [anonymous], may: [pull] }`,
      'longer than any repository name',
    ],
  ])('%s: %s', (rule, reason) => expect(warnings(rule)).toEqual([expect.stringContaining(reason)]));

  it.each([
    ["{ repositories: ['local/**'], who: ['user:anna'], may: [pull] }", 'there is no users_file'],
    ["{ repositories: ['local/**'], who: ['robot:ci'], may: [pull] }", 'there is no robots_file'],
    ["{ repositories: ['local/{claim:x}'], who: [authenticated], may: [pull] }", 'there is no issuer'],
  ])('without anybody to sign in: %s', (rule, reason) =>
    expect(warnings(rule, '')).toEqual([expect.stringContaining(reason)]),
  );

  it('but users and groups may be those of a directory', () => {
    const rule = "{ repositories: ['local/**'], who: ['user:anna', 'group:team'], may: [push] }";
    const ldap = "ldap: { url: 'ldaps://ldap.test', user_dn: 'uid={user},dc=test' }\n";
    expect(warnings(rule, ldap)).toEqual([]);
    expect(warnings(rule, '')).toHaveLength(2);
  });

  it('when unconfigured registries are not mirrored', () => {
    const rule = "{ repositories: ['quay.io/**'], who: [anonymous], may: [pull] }";
    expect(warnings(rule)).toEqual([]);
    expect(warnings(rule, known, { ...namespaces, mirrorsUnknown: false })).toHaveLength(1);
  });

  it.each([
    "{ repositories: ['**'], who: [anonymous], may: [pull] }",
    "{ repositories: ['*.io/**', 'local/{user}/*'], who: ['user:anna', 'ci:x'], may: [push, admin] }",
    "{ repositories: ['local/{claim:project}'], who: ['ci:*', 'robot:*', 'group:*'], may: [delete] }",
  ])('and others are not: %s', (rule) => expect(warnings(rule)).toEqual([]));
});

describe('a name that nobody can sign in with is a warning', () => {
  const rule = "{ repositories: ['local/**'], who: [anonymous], may: [pull] }";
  const ldap = "ldap: { url: 'ldaps://ldap.test', user_dn: 'uid={user},dc=test' }\n";
  const certificates = (identity: string) => `client_certificates: { ca_file: /ca, identity: '${identity}' }\n`;

  it.each([
    [
      'in a group',
      'users_file: /u\ngroups: { team: [anna, bert] }\n',
      'access.groups.team: bert can be nobody: not in /u',
    ],
    [
      'in a group, with certificates of others',
      `users_file: /u\ngroups: { team: [bert] }\n${certificates('host:{cn}')}`,
      'access.groups.team: bert can be nobody: not in /u',
    ],
    [
      'in a group without a users_file',
      'groups: { team: [anna] }\n',
      'access.groups.team: anna can be nobody: there is no',
    ],
    [
      'in a group of many',
      'users_file: /u\ngroups: { team: [a, b, c, d, e, f, g, anna] }\n',
      'access.groups.team: a, b, c, d, e and 2 more can be nobody: not in /u',
    ],
  ])('%s', (_, head, warning) => expect(warnings(rule, head)).toEqual([expect.stringContaining(warning)]));

  it.each([
    ['user:bert', 'access.rules[0].who: user:bert is nobody: not in /u'],
    ['robot:cd', 'access.rules[0].who: robot:cd is nobody: not in /r'],
  ])('in a rule: %s', (who, warning) =>
    expect(warnings(`{ repositories: ['local/**'], who: ['${who}'], may: [pull] }`)).toEqual([warning]),
  );

  it('in a limit', () =>
    expect(warnings(rule, `${known}limits: [{ who: ['user:bert'], pulls: 5/1h, per: identity }]\n`)).toEqual([
      'access.limits[0].who: user:bert is nobody: not in /u',
    ]));

  it.each([
    ['a directory has users', `users_file: /u\ngroups: { team: [bert] }\n${ldap}`],
    ['certificates are of users', `users_file: /u\ngroups: { team: [bert] }\n${certificates('user:{cn}')}`],
  ])('unless %s', (_, head) => expect(warnings(rule, head)).toEqual([]));

  it.each([
    ['without a users_file', ''],
    ['not in it', 'users_file: /u\n'],
    ['with certificates of others', certificates('host:{cn}')],
  ])('of a directory with capitals: %s', (_, head) => {
    const access = `${head}${ldap}groups: { team: [anna, Anna] }\nlimits: [{ who: ['user:Bert'], pulls: 5/1h, per: identity }]\n`;
    const who = "{ repositories: ['local/**'], who: ['user:bert', 'user:BERT', 'user:bert ', 'user:B*'], may: [pull] }";
    expect(warnings(who, access)).toEqual([
      expect.stringMatching(/^access\.groups\.team: Anna can be nobody: .*lower case/),
      expect.stringMatching(/^access\.rules\[0\]\.who: user:BERT is nobody: .*lower case/),
      expect.stringMatching(/^access\.rules\[0\]\.who: user:bert {2}?is nobody/),
      expect.stringMatching(/^access\.limits\[0\]\.who: user:Bert is nobody: .*lower case/),
    ]);
  });

  it.each([
    ['a file has them', 'users_file: /u\n', { ...names, users: new Set(['Anna']) }],
    ['the file cannot be read', 'users_file: /u\n', { ...names, users: undefined }],
    ['certificates may have them', certificates('user:{cn}'), names],
  ])('of a directory with capitals, unless %s', (_, head, known) => {
    const text = `${head}${ldap}rules: [{ repositories: ['local/**'], who: ['user:Anna'], may: [pull] }]`;
    expect(warningsOf(readAccess(text), namespaces, known)).toEqual([]);
  });

  it('unless the files cannot be read', () => {
    const access = readAccess(
      `users_file: /u\nrobots_file: /r\ngroups: { team: [bert] }\nrules: [{ repositories: ['local/**'], who: ['user:bert', 'robot:cd'], may: [pull] }]`,
    );
    expect(warningsOf(access, namespaces, { users: undefined, robots: undefined })).toEqual([]);
  });
});
