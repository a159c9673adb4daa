import { describe, expect, it } from 'vitest';
import { RepositoryPattern } from './repository-pattern.js';
import { RepositoryRef } from '../repository.js';

const matches = (pattern: string, name: string, filling: Record<string, string> = {}) =>
  RepositoryPattern.parse(pattern).matches(RepositoryRef.parse(name), (placeholder) => filling[placeholder]);

describe('a pattern of repositories', () => {
  it.each([
    ['**', 'docker.io/library/nginx'],
    ['docker.io/**', 'docker.io/library/nginx'],
    ['index.docker.io/**', 'docker.io/grafana/grafana'],
    ['Docker.IO/grafana/*', 'docker.io/grafana/grafana'],
    ['docker.io/nginx', 'docker.io/library/nginx'],
    ['local/team/app', 'local/team/app'],
    ['local/team/*', 'local/team/app'],
    ['local/team/**', 'local/team/a/b/c'],
    ['local/**/app', 'local/app'],
    ['local/**/app', 'local/a/b/app'],
    ['local/**/a/**/b', 'local/x/a/y/a/b'],
    ['local/team-*', 'local/team-a'],
    ['*.example.com/**', 'registry.example.com/a'],
    ['registry.example.com:5000/**', 'registry.example.com:5000/a'],
    ['*/team/**', 'ghcr.io/team/app'],
  ])('%s matches %s', (pattern, name) => expect(matches(pattern, name)).toBe(true));

  it.each([
    ['local/team/**', 'local/team'],
    ['local/team/*', 'local/team/a/b'],
    ['local/team/**', 'local/team2/a'],
    ['local/team', 'local/team/a'],
    ['local/**/app', 'local/a/apps'],
    ['docker.io/*', 'docker.io/grafana/grafana'],
    ['example.com/**', 'registry.example.com/a'],
    ['*.example.com/**', 'example.com/a'],
    ['registry.example.com/**', 'registry.example.com:5000/a'],
    ['local/{user}/**', 'local/anna/app'],
  ])('%s does not match %s', (pattern, name) => expect(matches(pattern, name)).toBe(false));

  it.each([
    ['anna', 'local/anna/app', true],
    ['anna', 'local/bert/app', false],
    ['*', 'local/bert/app', false],
    ['a/b', 'local/a/b/app', false],
    ['..', 'local/a/app', false],
    ['Anna', 'local/anna/app', false],
    ['', 'local/app', false],
  ])('fills {user} with %j for one component: %s %s', (user, name, isMatch) =>
    expect(matches('local/{user}/**', name, { user })).toBe(isMatch),
  );

  it('fills a part of a component', () => {
    expect(matches('local/{claim:project}-*', 'local/web-api', { 'claim:project': 'web' })).toBe(true);
    expect(RepositoryPattern.parse('local/{claim:project}-*').placeholders).toEqual(['claim:project']);
  });

  it.each([
    ['nginx', 'a namespace and a name'],
    ['', 'a namespace and a name'],
    ['local/', 'no repository name can have'],
    ['local/Team', 'no repository name can have: "Team"'],
    ['local/a//b', 'no repository name can have'],
    ['local/a**', 'no repository name can have'],
    ['local/{user', 'no repository name can have'],
    ['local/../a', 'no repository name can have'],
    ['lo_cal/a', 'begin with a namespace'],
    [`local/${'a'.repeat(600)}`, 'at most 512 characters'],
  ])('refuses %j', (pattern, reason) => expect(() => RepositoryPattern.parse(pattern)).toThrow(reason));

  it('knows that it matches nothing', () => {
    expect(RepositoryPattern.parse(`local/${'a/'.repeat(150)}a`).isUnmatchable).toBe(true);
    expect(RepositoryPattern.parse('local/**').isUnmatchable).toBe(false);
  });

  it('is quick with many stars', () => {
    const pattern = `local/${'**/a/'.repeat(60)}b`;
    const begin = performance.now();
    expect(matches(pattern, `local/${'a/'.repeat(120)}a`)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });
});
