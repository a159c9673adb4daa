import { describe, expect, it } from 'vitest';
import { rights, type Right } from '../../config/access/rule.settings.js';
import { RepositoryRef } from '../../oci/repository.js';
import { AccessRules } from './access.rules.js';
import { anonymous, type Identity } from './identity.js';

const identity = (subject: string, groups: string[] = [], claims: Record<string, string> = {}): Identity => ({
  subject,
  groups,
  claims,
});
const rule = (repositories: string, who: string, may: string) => ({
  repositories: repositories.split(' '),
  who: who.split(' '),
  may: may.split(' ') as Right[],
});

const rules = new AccessRules([
  rule('docker.io/** ghcr.io/**', 'anonymous', 'pull'),
  rule('local/team/**', 'group:team github:acme/*', 'push'),
  rule('local/team/**', 'robot:cleaner', 'delete'),
  rule('local/home/{user}/**', 'authenticated', 'push delete'),
  rule('local/{claim:project}', 'gitlab:**', 'push'),
  rule('**', 'user:root', 'admin'),
]);
const anna = identity('user:anna', ['team']);
const bert = identity('user:bert');
const action = identity('github:acme/app');
const job = identity('gitlab:group/sub/project', [], { project: 'web' });

/** Each identity and repository with exactly what it may do. */
const table: [who: Identity, repository: string, may: string][] = [
  [anonymous, 'docker.io/library/nginx', 'pull'],
  [bert, 'ghcr.io/acme/app', 'pull'],
  [anonymous, 'quay.io/a/b', ''],
  [anonymous, 'local/team/app', ''],
  [bert, 'local/team/app', ''],
  [anna, 'local/team/app', 'pull push'],
  [anna, 'local/team/a/b', 'pull push'],
  [anna, 'local/team', ''],
  [anna, 'local/home/anna/app', 'pull push delete'],
  [anna, 'local/home/bert/app', ''],
  [anonymous, 'local/home/anonymous/app', ''],
  [identity('robot:anna'), 'local/home/anna/app', ''],
  [action, 'local/team/app', 'pull push'],
  [identity('github:acme/a/b'), 'local/team/app', ''],
  [identity('github:acme2/app'), 'local/team/app', ''],
  [identity('user:github:acme/app'), 'local/team/app', ''],
  [identity('robot:cleaner'), 'local/team/app', 'delete'],
  [job, 'local/web', 'pull push'],
  [job, 'local/api', ''],
  [identity('gitlab:x', [], { project: 'a/b' }), 'local/a/b', ''],
  [identity('gitlab:x', [], { project: '**' }), 'local/web', ''],
  [identity('user:root'), 'local/team/app', 'admin'],
  [identity('user:team'), 'local/team/app', ''],
  [identity('user:x', ['team2', 'Team']), 'local/team/app', ''],
];

describe('access rules', () => {
  it.each(table)('%j of %s: %j', (who, repository, may) => {
    const allowed = rights.filter((right) => rules.decide(who, right, RepositoryRef.parse(repository)).isAllowed);
    expect(allowed).toEqual(rights.filter((right) => may.split(' ').includes(right)));
  });

  it('deny everything when there are none', () => {
    expect(new AccessRules([]).decide(anna, 'pull', RepositoryRef.parse('docker.io/library/nginx')).isAllowed).toBe(
      false,
    );
  });

  it('name the rule that allows', () => {
    expect(rules.decide(anna, 'push', RepositoryRef.parse('local/team/app'))).toEqual({ isAllowed: true, rule: 2 });
  });

  it('do not depend on their order', () => {
    const settings = [rule('local/**', 'user:anna', 'pull'), rule('local/team/**', 'user:anna', 'push')];
    for (const order of [settings, settings.toReversed()]) {
      const inOrder = new AccessRules(order);
      expect(inOrder.decide(anna, 'push', RepositoryRef.parse('local/team/a')).isAllowed).toBe(true);
      expect(inOrder.decide(anna, 'push', RepositoryRef.parse('local/other')).isAllowed).toBe(false);
    }
  });

  it('list what an identity may do', () => {
    expect(rules.allowancesOf(anna)).toEqual([
      { rule: 1, repository: 'docker.io/**', rights: ['pull'] },
      { rule: 1, repository: 'ghcr.io/**', rights: ['pull'] },
      { rule: 2, repository: 'local/team/**', rights: ['push', 'pull'] },
      { rule: 4, repository: 'local/home/anna/**', rights: ['push', 'delete', 'pull'] },
    ]);
    expect(rules.allowancesOf(anonymous).map((line) => line.rule)).toEqual([1, 1]);
  });
});
