import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepRules, subjectOf, type DatedTag, type KeepRule } from './keep.rules.js';

const day = 86_400_000;
const now = 1_000 * day;

const all: KeepRule = { repositories: '**', tags: ['*'] };
const rules = (list: Partial<KeepRule>[], immutable: string[] = [], name = 'team/app') =>
  KeepRules.of(
    list.map((rule) => ({ ...all, ...rule })),
    immutable,
    name,
  );

/** Tags by how many days ago they were pushed, and pulled. */
const dated = (ages: Record<string, number | [pushed: number, used: number]>): DatedTag[] =>
  Object.entries(ages).map(([name, age]) => {
    const [pushed, used] = typeof age === 'number' ? [age, age] : age;
    return { name, pushedAt: now - pushed * day, usedAt: now - used * day };
  });

const unkept = (some: KeepRules, tags: DatedTag[]) =>
  some
    .findUnkept(tags, now)
    .map(({ tag }) => tag.name)
    .sort();

describe('rules that keep tags', () => {
  it('keep the last tags of those they are about, whatever else keeps these', () => {
    const tags = dated({ a: 5, b: 4, c: 3, d: 2, latest: 1 });
    expect(unkept(rules([{ last: 2 }]), tags)).toEqual(['a', 'b', 'c']);
    expect(unkept(rules([{ last: 2, tags: ['a', 'b', 'c', 'd'] }]), tags)).toEqual(['a', 'b']);
    expect(unkept(rules([{ last: 0 }]), tags)).toEqual(['a', 'b', 'c', 'd', 'latest']);
    // The immutable one counts and stays.
    expect(unkept(rules([{ last: 1 }], ['d', 'a']), dated({ a: 5, b: 4, c: 3, d: 2 }))).toEqual(['b', 'c']);
  });

  it('keep what was pushed or pulled recently enough', () => {
    const tags = dated({ new: 29, old: 31, pulled: [200, 30], forgotten: [200, 91] });
    expect(unkept(rules([{ pushedWithin: 30 * day }]), tags)).toEqual(['forgotten', 'old', 'pulled']);
    expect(unkept(rules([{ pulledWithin: 90 * day }]), tags)).toEqual(['forgotten']);
    // A time in the future is no reason to remove anything.
    expect(unkept(rules([{ pulledWithin: 0 }]), dated({ a: -5 }))).toEqual([]);
  });

  it('keep a tag if one condition of one rule does', () => {
    const tags = dated({ v1: 100, v2: 90, 'pr-1': 40, 'pr-2': 20, 'pr-3': [300, 1] });
    const some = rules([{ tags: ['v*'] }, { tags: ['pr-*'], last: 1, pulledWithin: 7 * day }]);
    expect(unkept(some, tags)).toEqual(['pr-1']);
    expect(
      unkept(
        rules([
          { tags: ['pr-*'], last: 1 },
          { tags: ['*-1'], pushedWithin: 50 * day },
        ]),
        tags,
      ),
    ).toEqual(['pr-3']);
  });

  it('leave what no rule is about', () => {
    const tags = dated({ a: 500, b: 500 });
    expect(unkept(rules([{ tags: ['b'], last: 0 }]), tags)).toEqual(['b']);
    expect(unkept(rules([]), tags)).toEqual([]);
    const elsewhere = rules([{ repositories: 'other/**', last: 0 }]);
    expect(unkept(elsewhere, tags)).toEqual([]);
    expect([elsewhere.isEmpty, rules([{}]).isEmpty]).toEqual([true, false]);
    expect(unkept(rules([{ repositories: 'team/*', last: 0 }]), tags)).toEqual(['a', 'b']);
  });

  it('are about the tags of signatures only by name', () => {
    const signature = `sha256-${'a'.repeat(64)}.sig`;
    const tags = dated({ [signature]: 500, [`sha256-${'b'.repeat(64)}`]: 500, 'sha256-short': 500 });
    expect(unkept(rules([{ last: 0 }]), tags)).toEqual(['sha256-short']);
    expect(unkept(rules([{ tags: ['sha256-*.sig'], last: 0 }]), tags)).toEqual([signature]);
    expect(subjectOf(signature)).toBe(`sha256:${'a'.repeat(64)}`);
    expect(subjectOf('sha256-short')).toBeUndefined();
  });

  it('say which of them did not keep a tag, and why', () => {
    const some = rules([{ tags: ['b'] }, { last: 1, pulledWithin: 90 * day }, { tags: ['a'], pushedWithin: day / 4 }]);
    expect(some.findUnkept(dated({ a: [120, 100], b: 1 }), now).map(({ reason }) => reason)).toEqual([
      'keep[1]: 1 newer tags, not pulled for 100d; keep[2]: pushed 120d ago',
    ]);
  });
});

describe('for any rules and tags', () => {
  const names = fc.constantFrom('a', 'b', 'ab', 'v1', 'v2', 'latest');
  const patterns = fc.uniqueArray(fc.constantFrom('*', 'a', 'a*', '*b', 'v*', 'none'), { minLength: 1, maxLength: 3 });
  const optional = (most: number) => fc.option(fc.nat(most), { nil: undefined });
  const rule = fc.record({
    repositories: fc.constantFrom('**', 'team/*', 'other/**'),
    tags: patterns,
    last: optional(4),
    pushedWithin: optional(10),
    pulledWithin: optional(10),
  });
  const tag = fc.record({ name: names, pushedAt: fc.nat(20), used: fc.nat(20) });
  const tagsOf = fc
    .uniqueArray(tag, { selector: ({ name }) => name })
    .map((list) => list.map(({ name, pushedAt, used }) => ({ name, pushedAt, usedAt: Math.max(pushedAt, used) })));
  const find = (list: readonly KeepRule[], tags: readonly DatedTag[], immutable: string[] = []) =>
    new Set(
      KeepRules.of(list, immutable, 'team/app')
        .findUnkept(tags, 20)
        .map(({ tag: { name } }) => name),
    );

  it('goes exactly what a rule is about and each rule alone would not keep', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), tagsOf, patterns, (list, tags, immutable) => {
        const gone = find(list, tags, immutable);
        const alone = list.map((one) => ({ is: KeepRules.of([one], [], 'team/app'), gone: find([one], tags) }));
        for (const { name } of tags) {
          const about = alone.filter(({ is }) => is.matches(name));
          const isUnkept = about.length > 0 && about.every((one) => one.gone.has(name));
          const isImmutable = KeepRules.of([{ ...all, tags: immutable }], [], 'x').matches(name);
          expect(gone.has(name)).toBe(isUnkept && !isImmutable);
        }
      }),
    );
  });

  it('a rule about the same tags, a use or a condition more never removes more', () => {
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 3 }), tagsOf, fc.nat(5), (list, tags, last) => {
        const gone = find(list, tags);
        const [first = all, ...rest] = list;
        const used = tags.map((one) => ({ ...one, usedAt: one.usedAt + last }));
        const more = [...list, { ...first, last, pushedWithin: last }];
        const wider = [{ ...first, last: first.last === undefined ? undefined : first.last + last }, ...rest];
        for (const name of [...find(list, used), ...find(more, tags), ...find(wider, tags)])
          expect(gone).toContain(name);
      }),
    );
  });
});
