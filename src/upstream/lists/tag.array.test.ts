import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeTags, tagsDocument } from './tag.array.js';

const listOf = (tags: unknown) => Buffer.from(JSON.stringify({ name: 'app', tags }));
const tagsOf = (document: Buffer) => (JSON.parse(document.toString()) as { tags: string[] }).tags;

describe('the first tags of a list', () => {
  it('are those of the array after the given tag, for any strings', () => {
    const strings = fc.uniqueArray(fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(strings, fc.nat(12), fc.option(fc.nat(12)), (tags, count, position) => {
        const after = position === null ? null : (tags[position] ?? 'absent, and too long to be drawn by chance');
        const begin = after === null ? 0 : tags.indexOf(after) + 1;
        const expected = tags.slice(begin, begin + count);
        const part = takeTags(listOf(tags), count, after)!;
        expect(tagsOf(tagsDocument([part]))).toEqual(expected);
        expect(part).toMatchObject({
          count: expected.length,
          isCut: begin + count < tags.length,
          isWhole: expected.length === tags.length,
        });
        expect(part.final).toBe(expected.at(-1));
      }),
    );
  });

  it('are none of null, and undefined where there is no array of strings', () => {
    expect(takeTags(listOf(null), 5, null)).toMatchObject({ count: 0, isCut: false, isWhole: true });
    for (const document of ['{}', '[]', '{"tags":[1]}', '{"tags":"x"}', '{"tags":["a"', ''])
      expect(takeTags(Buffer.from(document), 5, null)).toBeUndefined();
  });

  it('are put together in one document', () => {
    const parts = [['a', 'b'], [], ['c']].map((tags) => takeTags(listOf(tags), 5, null)!);
    expect(tagsOf(tagsDocument(parts))).toEqual(['a', 'b', 'c']);
  });
});
