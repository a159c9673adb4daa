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
