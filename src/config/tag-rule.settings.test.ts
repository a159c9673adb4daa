import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNamespaces } from './upstream-file.js';
import { ttlOf } from './tag-rule.settings.js';

const read = (tags: string) =>
  readNamespaces(`[{ namespace: a.test, host: a.test, tags: ${tags} }]`, undefined).upstreams[0]!.tags;
const only = (pattern: string) => [{ pattern, ttl: 1 }];

describe('the tag rules of an upstream', () => {
  it('give a tag the time of the first rule whose pattern it has', () => {
    const rules = read(
      '[{pattern: latest, ttl: always}, {pattern: "v*-rc*", ttl: 30s}, {pattern: "v*", ttl: immutable}]',
    );
    expect(['latest', 'v1-rc2', 'v1.0', 'main'].map((tag) => ttlOf(rules, tag))).toEqual([
      0,
      30_000,
      Infinity,
      undefined,
    ]);
  });

  it.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['v*', 'v', true],
    ['v*', 'xv', false],
    ['*-alpine', '3-alpine', true],
    ['*-alpine', '3-alpine2', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['*.*.*', '1.2.3', true],
    ['*.*.*', '1.2', false],
    ['1.2', '1.2', true],
    ['1.2', '1x2', false],
    ['**', 'x', true],
  ])('match %s with "%s": %s', (pattern, tag, matches) => {
    expect(ttlOf(only(pattern), tag) === 1).toBe(matches);
  });

  it('match as the expression does that says the same', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (pattern, tag) => {
        const expression = new RegExp(`^${pattern.replaceAll('.', '[.]').replaceAll('*', '.*')}$`);
        expect(ttlOf(only(pattern), tag) === 1).toBe(expression.test(tag));
      }),
    );
  });

  it.each([
    ['[{pattern: "v*"}]', 'upstreams[0].tags[0].ttl'],
    ['[{ttl: 1h}]', 'upstreams[0].tags[0].pattern'],
    ['[{pattern: 1.10, ttl: 1h}]', 'upstreams[0].tags[0].pattern'],
    ['[{pattern: "a/b", ttl: 1h}]', 'upstreams[0].tags[0].pattern'],
    ['[{pattern: "*", ttl: never}]', 'upstreams[0].tags[0].ttl'],
    ['[{pattern: "*", ttl: 10}]', 'upstreams[0].tags[0].ttl'],
    ['[{pattern: "*", ttl: 1h, tll: 1h}]', 'upstreams[0].tags[0].tll'],
    ['[{pattern: "*", ttl: 1h}, {pattern: "v*", ttl: 2h}]', 'upstreams[0].tags[1]'],
    ['{"v*": immutable}', 'upstreams[0].tags'],
    ['latest', 'upstreams[0].tags'],
  ])('name a mistake by its path: %s', (tags, path) => {
    expect(() => read(tags)).toThrow(path);
  });
});
