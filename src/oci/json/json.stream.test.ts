import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findStringArray, JsonError, maxJsonDepth } from './json.js';
import { JsonStream } from './json.stream.js';

/** What the stream makes of a text that arrives in pieces. */
function scan(text: string, sizes: readonly number[] = [], areTexts = true): string | null {
  const stream = new JsonStream('tags', areTexts);
  const bytes = Buffer.from(text);
  let found = '';
  for (let position = 0, index = 0; position < bytes.length; index += 1) {
    const size = sizes.length === 0 ? bytes.length : sizes[index % sizes.length]!;
    found += Buffer.from(stream.push(bytes.subarray(position, position + size))).toString('latin1');
    position += size;
  }
  stream.end();
  return stream.value === 'null' ? null : found;
}

/** Undefined for what is no list. */
function whole(text: string): string | null | undefined {
  const found = attempt(() => findStringArray(Buffer.from(text), 'tags'));
  return found && Buffer.from(found).toString('latin1');
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

const pieces = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });
const entries = fc.oneof(fc.array(fc.string({ unit: 'binary' })), fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
const documents = fc
  .tuple(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), entries, fc.boolean())
  .map(([others, tags, isFirst]) => (isFirst ? { tags, ...others } : { ...others, tags }))
  .chain((document) => fc.constantFrom(JSON.stringify(document), JSON.stringify(document, null, 2)));

describe('a list as it arrives', () => {
  it('has the same array in it as when it is whole, wherever it is cut', () => {
    fc.assert(
      fc.property(documents, pieces, (text, sizes) => {
        expect(attempt(() => scan(text, sizes))).toEqual(whole(text));
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when the whole is, whatever is done to it', () => {
    const damages = fc.tuple(
      fc.nat(),
      fc.constantFrom('', '"', ',', '}', ']', '[', '{', ':', '0', '-', 'e', '\\', '\u0001', 'tags'),
    );
    fc.assert(
      fc.property(documents, damages, pieces, (text, [where, what], sizes) => {
        const position = where % text.length;
        const damaged = text.slice(0, position) + what + text.slice(position + 1);
        expect(attempt(() => scan(damaged, sizes))).toEqual(whole(damaged));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    '{"tags":[1e5]}',
    '{"tags":[01]}',
    '{"tags":["a",]}',
    '{"tags":["a"],}',
    '{"tags":["a"]}}',
    '{"tags":["a"]',
    '{"tags":["a"]} x',
    '{"tags":["a"],"tags":["b"]}',
    '{"tags":["a"],"\\u0074ags":["b"]}',
    '{"tags":{"a":1}}',
    '{"tags":"a"}',
    '{"tags":nul}',
    '{"name":"a"}',
    '{"a":-}',
    '{"a":1.}',
    '{"a":+1,"tags":[]}',
    '{"a":"\\x","tags":[]}',
    '{"a":"\\u00g0","tags":[]}',
    '[{"tags":[]}]',
    '["tags",[]]',
    '1',
    '',
    `{"a":${'['.repeat(maxJsonDepth)}${']'.repeat(maxJsonDepth)},"tags":[]}`,
  ])('is refused: %s', (text) => {
    for (const sizes of [[], [1]]) expect(() => scan(text, sizes)).toThrow(JsonError);
  });

  it('may have anything in the array when it is no list of texts', () => {
    const text = '{"a":-1.5e+3,"tags":[{"b":[0,1]},null, "c"] ,"d":[true,false]}';
    for (const sizes of [[], [1]]) expect(scan(text, sizes, false)).toBe('[{"b":[0,1]},null, "c"]');
  });

  it('is found by a name with escapes, and not by a longer one', () => {
    expect(scan(`{"${'t'.repeat(500)}":["b"],"\\u0074\\u0061gs":["a"]}`, [3])).toBe('["a"]');
  });
});
