import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../configuration-error.js';
import { readAccess } from './access-file.js';

function problemsOf(yaml: string): string[] {
  try {
    readAccess(yaml);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ path, kind, reason }) => `${path}: ${kind}: ${reason}`);
  }
}

const rule = "{ repositories: ['local/**'], who: [authenticated], may: [push] }";

describe('the access file', () => {
  it('says who may do what', () => {
    const access = readAccess(`
users_file: /etc/oci-registry/htpasswd
robots_file: /etc/oci-registry/robots
groups: { team: [anna, bert] }
issuers:
  - issuer: https://token.actions.githubusercontent.com
    audience: registry.example.com
    identity: 'github:{repository}'
    claims: { repository_owner_id: ['1234'] }
rules:
  - repositories: ['docker.io/**', 'ghcr.io/**']
    who: [anonymous]
    may: [pull]
  - repositories: registry.example.com/team/**
    who: group:team, github:acme/*
    may: push
`);
    expect(access.rules).toMatchObject([
      { repositories: ['docker.io/**', 'ghcr.io/**'], who: ['anonymous'], may: ['pull'] },
      { repositories: ['registry.example.com/team/**'], who: ['group:team', 'github:acme/*'], may: ['push'] },
    ]);
    expect(access.issuers[0]).toMatchObject({
      identity: 'github:{repository}',
      claims: { repository_owner_id: ['1234'] },
    });
    expect(access).toMatchObject({ groups: { team: ['anna', 'bert'] }, unknownCredentials: 'refuse' });
  });

  it('has all its mistakes reported at once, without their values', () => {
    expect(
      problemsOf(`
user_file: planted
groups: [planted]
unknown_credentials: planted
issuers:
  - { issuer: 'http://plain.example.com', audience: a, identity: 'user:{sub}' }
rules:
  - { repositories: [nginx], who: [anna], may: [fly] }
  - { repositories: ['local/{name}/**'], who: ['user:anna', 'group:'], may: [pull, read] }
  - { who: [anonymous], may: [pull] }
`),
    ).toEqual([
      expect.stringMatching(/^access.groups: a list: must be a map from groups to lists of user names$/),
      'access.unknown_credentials: text: must be one of refuse, anonymous',
      'access.user_file: text: is not a known setting; did you mean users_file?',
      'access.rules[0].repositories: a list: the 1st must be a namespace and a name, such as docker.io/** or local/team/app',
      'access.rules[0].who: a list: the 1st must be anonymous, authenticated, or a kind and a name such as user:anna',
      'access.rules[0].may: a list: the 1st must be of pull, push, delete, admin',
      'access.rules[1].repositories: a list: the 1st has the unknown placeholder {name}',
      'access.rules[1].who: a list: the 2nd must be anonymous, authenticated, or a kind and a name such as user:anna',
      'access.rules[1].may: a list: the 2nd must be of pull, push, delete, admin',
      expect.stringMatching(/^access.rules\[2\].repositories: missing: must be a list of patterns of repositories/),
      expect.stringMatching(/^access.issuers\[0\].issuer: text: must be an https URL/),
      expect.stringMatching(/^access.issuers\[0\].identity: text: must be a kind other than user, group, robot/),
    ]);
  });

  it.each([
    ['', 'must be one YAML map with users_file'],
    ['- a', 'must be one YAML map with users_file'],
    ['a: 1\n---\nb: 2', 'must be one YAML map'],
    ['rules: [', 'is not valid YAML'],
    ['rules: text', 'must be a list of maps'],
    ['users_file: x', 'access.rules: missing'],
    [`rules: [${rule}]\nclient_certificates: []`, 'access.client_certificates: a list: must be a map'],
    [`rules: [${rule}]\nclient_certificates: {}`, 'access.client_certificates.ca_file: missing'],
    [
      `rules: [${rule}]\nclient_certificates: { ca_file: a, identity: 'robot:{cn}' }`,
      'must be a kind other than group, robot',
    ],
    [`rules: [${rule}]\nclient_certificates: { ca_file: a, identity: 'k:{ou}' }`, 'with {cn}, {dns}, {email} or {uri}'],
    [`rules: [${rule}]\nlimits: [{ who: [anonymous] }]`, 'access.limits[0]: a map: must have pulls, pushes or bytes'],
    [
      `rules: [${rule}]\nlimits: [{ who: [anonymous], pulls: 5 }]`,
      'access.limits[0].pulls: a number: must be an amount',
    ],
    [
      `rules: [${rule}]\nlimits: [{ who: [anonymous], pulls: 5/0s }]`,
      'access.limits[0].pulls: text: must be an amount',
    ],
    [`rules: [${rule}]\nlimits: [{ who: [anonymous], bytes: 5/1h }]`, 'such as 50GiB/1d'],
    [`rules: [${rule}]\nlimits: [{ who: [anna], bytes: 5GiB/1h }]`, 'access.limits[0].who: a list: the 1st must be'],
    [`rules: [${rule}]\nlimits: [{ who: [anonymous], per: user, pulls: 5/1h }]`, 'must be one of identity, address'],
    [
      `rules: [${rule}]\nissuers: [{ issuer: 'https://a.example', audience: a, identity: 'k:{b}' }, { issuer: 'https://a.example', audience: a, identity: 'l:{b}' }]`,
      'repeats access.issuers[0]',
    ],
  ])('is refused: %j', (yaml, reason) => expect(problemsOf(yaml).join('\n')).toContain(reason));
});

describe('the section of a directory', () => {
  const section = (keys: string) => `ldap: { ${keys} }\nrules: [${rule}]\n`;
  const byDn = "user_dn: 'uid={user},dc=test'";
  const bySearch = "search_base: 'dc=test', user_filter: '(uid={user})'";

  it.each([
    `url: 'ldaps://ldap.test', ${byDn}`,
    `url: 'ldaps://ldap.test:1636/', ${byDn}`,
    `url: 'ldap://ldap.test', start_tls: true, ${byDn}`,
    `url: 'ldap://127.0.0.1:3890', ${byDn}`,
    `url: 'ldap://[::1]', ${byDn}`,
    `url: 'ldaps://ldap.test', ${bySearch}`,
    `url: 'ldaps://ldap.test', ${bySearch}, bind_dn: 'cn=a', bind_password_file: /p`,
    `url: 'ldaps://ldap.test', ${byDn}, group_base: 'ou=g', group_filter: '(|(member={dn})(memberUid={user}))'`,
    `url: 'ldaps://ldap.test', user_dn: 'uid={user}+l=x,OU=a\\, b, dc=test', group_base: 'OU=my groups, dc=test'`,
    `url: 'ldaps://ldap.test', user_dn: '2.5.4.3=#x{user}@test,ou=\\67\\ ,ou=a b'`,
  ])('is valid: %s', (keys) => expect(problemsOf(section(keys))).toEqual([]));

  it.each([
    'uid={user},,dc=ex',
    'uid=x,dc={user},garbage',
    'uid={user},',
    '{user}=x',
    '{user}@ex.com',
    'uid={user};dc=x',
  ])('has a user_dn that is a DN, not %s', (dn) => {
    const problem = expect.stringContaining('access.ldap.user_dn: text: must be a DN with {user} in a value') as string;
    expect(problemsOf(section(`url: 'ldaps://l', user_dn: '${dn}'`))).toEqual([problem]);
  });

  it.each([
    'ou=groups ,dc=ex',
    'ou = groups,dc=ex',
    'ou=groups,dc=ex ',
    ' ou=groups',
    'ou="groups",dc=ex',
    'ou=a\\',
    'ou=,dc=ex',
  ])('has bases that are DNs, not %s', (dn) => {
    const of = (name: string) =>
      expect.stringContaining(`access.ldap.${name}: text: must be a DN such as ou=`) as string;
    expect(problemsOf(section(`url: 'ldaps://l', ${byDn}, group_base: '${dn}'`))).toEqual([of('group_base')]);
    const search = `search_base: '${dn}', user_filter: '(uid={user})'`;
    expect(problemsOf(section(`url: 'ldaps://l', ${search}`))).toEqual([of('search_base')]);
  });

  it.each(['2.5.4.11=groups,dc=ex', 'ou=a+l=b,dc=ex'])('has a group_base that groups can be below, not %s', (dn) => {
    const problem = expect.stringContaining('group_base: text: must be a DN such as ou=groups') as string;
    expect(problemsOf(section(`url: 'ldaps://l', ${byDn}, group_base: '${dn}'`))).toEqual([problem]);
  });

  it('has defaults', () => {
    expect(readAccess(section(`url: 'ldaps://ldap.test', ${byDn}, timeout: 2s`)).ldap).toMatchObject({
      memberOf: 'memberOf',
      groupName: 'cn',
      timeout: 2_000,
      maxConnections: 4,
      cache: 120_000,
    });
  });

  it.each([
    [byDn, 'url: missing: must be ldaps:// or ldap:// and a host'],
    [`url: 'https://ldap.test', ${byDn}`, 'url: text: must be ldaps:// or ldap:// and a host'],
    [`url: 'ldaps://ldap.test/dc=test', ${byDn}`, 'url: text: must be ldaps:// or ldap:// and a host'],
    [`url: 'ldaps://user@ldap.test', ${byDn}`, 'url: text: must be ldaps:// or ldap:// and a host'],
    [`url: 'ldap://ldap.test', ${byDn}`, 'url: text: would send passwords unencrypted'],
    [`url: 'ldaps://ldap.test', start_tls: true, ${byDn}`, 'start_tls: a boolean: is for ldap://'],
    ["url: 'ldaps://ldap.test'", 'user_dn: missing: must be set, or both search_base and user_filter'],
    ["url: 'ldaps://ldap.test', search_base: 'dc=test'", 'user_dn: missing: must be set, or both'],
    [`url: 'ldaps://ldap.test', ${byDn}, ${bySearch}`, 'user_dn: text: must be set alone'],
    ["url: 'ldaps://ldap.test', user_dn: 'uid=anna'", 'user_dn: text: must be a DN with {user} in a value'],
    [`url: 'ldaps://ldap.test', ${bySearch}, bind_dn: 'cn=a'`, 'bind_dn: text: must be set together with'],
    [
      `url: 'ldaps://ldap.test', ${byDn}, group_filter: '(member={dn})'`,
      'group_filter: text: must be set together with',
    ],
    ["url: 'ldaps://l', search_base: 'dc=test', user_filter: '(uid=a)'", 'user_filter: text: must have {user}'],
    ["url: 'ldaps://l', search_base: 'dc=test', user_filter: '(a={user}{dn})'", 'user_filter: text: must have {user}'],
    ["url: 'ldaps://l', search_base: 'dc=test', user_filter: '(uid={user}'", 'user_filter: text: must have ) at'],
    [`url: 'ldaps://l', ${byDn}, timeout: 5`, 'timeout: a number: must be a duration from 100ms to 30s'],
    [`url: 'ldaps://l', ${byDn}, max_connections: 0`, 'max_connections: a number: must be a whole number from 1 to 64'],
  ])('with a mistake is reported: %s', (keys, problem) =>
    expect(problemsOf(section(keys))).toEqual([expect.stringContaining(`access.ldap.${problem}`)]),
  );
});
