import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findStringArray, JsonError, maxJsonDepth, readJson, type JsonShape } from './json.js';

const limit = 4 * 1024 * 1024;
const read = (text: string, shape: JsonShape = 'value') => readJson(Buffer.from(text), shape);

/** What `JSON.parse` makes of the text, as far as the shape wants it. */
function selected(value: unknown, shape: JsonShape): unknown {
  if (Array.isArray(value)) {
    if (shape === 'value' || !('items' in shape)) return [];
    return value.slice(0, shape.max).map((item) => selected(item, shape.items));
  }
  if (typeof value !== 'object' || value === null) return value;
  if (shape === 'value' || !('fields' in shape)) return {};
  const { fields } = shape;
  const wanted = Object.entries(value).filter(([name]) => Object.hasOwn(fields, name));
  return Object.fromEntries(wanted.map(([name, field]) => [name, selected(field, fields[name]!)]));
}

function accepts(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

const shape: JsonShape = {
  fields: {
    a: 'value',
    layers: { items: { fields: { digest: 'value', a: { items: 'value', max: 2 } } }, max: 3 },
    config: { fields: { a: 'value' } },
  },
};

/** Documents that often have what the shape wants, and other things in its place. */
const documents = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1.5e-7, 12, '', 'text', 'é"\\\n\u2028𝄞'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'layers', 'digest', 'config', 'other', 'lay', 'é', ''), tie('value'), {
      maxKeys: 5,
    }),
  ),
})).value;

describe('readJson', () => {
  it('gives what is wanted of a document as JSON.parse does, however it is written', () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 1, '\t'), fc.boolean(), (document, space, isEscaped) => {
        const plain = JSON.stringify(document, undefined, space);
        const text = isEscaped ? plain.replaceAll('a', '\\u0061').replaceAll('é', '\\u00E9') : plain;
        // An escape of an escape is something else.
        fc.pre(accepts(() => JSON.parse(text)));
        expect(read(text, shape)).toEqual(selected(JSON.parse(text), shape));
      }),
    );
  });

  it.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"layers":[{"digest":"1","x":[],"digest":"2"}]}'])(
    'refuses a wanted field that is there twice: %s',
    (text) => {
      expect(() => read(text, shape)).toThrow(/ twice$/);
    },
  );

  it('does not care how often fields are there that nobody wants', () => {
    expect(read('{"x":1,"x":2,"b":{"a":1,"a":2},"a":3}', shape)).toEqual({ a: 3 });
  });

  it('refuses exactly what JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      ...'{}[],:"\\ \n\u0001-+.eE019'.split(/(?:)/),
      ...[
        'true',
        'false',
        'null',
        'nul',
        '\\u00e9',
        '\\u00g0',
        '\\x',
        '"a"',
        '"a":',
        '1.5',
        '01',
        '1.',
        '{"a":',
        '\ufeff',
      ],
    );
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
      // A sound document with one piece put in.
      fc.tuple(documents, pieces, fc.nat()).map(([document, piece, at]) => {
        const text = JSON.stringify(document);
        const position = at % (text.length + 1);
        return text.slice(0, position) + piece + text.slice(position);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect([text, accepts(() => read(text, shape))]).toEqual([text, accepts(() => JSON.parse(text))]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses bytes of any kind with nothing but a JsonError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          readJson(bytes, shape);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      }),
    );
  });

  it.each(['[', '{"a":', '{"layers":[{"a":['])('takes 64 levels and no more: %s', (opening) => {
    const brackets = opening.match(/[[{]/g) ?? [];
    const closing = brackets.map((bracket) => (bracket === '[' ? ']' : '}')).reverse();
    const nested = (depth: number) => {
      const inner = depth - brackets.length;
      return opening + '['.repeat(inner) + ']'.repeat(inner) + closing.join('');
    };
    expect(() => read(nested(maxJsonDepth), shape)).not.toThrow();
    expect(() => read(nested(maxJsonDepth + 1), shape)).toThrow(/more than 64 levels/);
    // Levels count where they are, not altogether.
    expect(() => read(`[${nested(maxJsonDepth - 1)},${nested(maxJsonDepth - 1)}]`)).not.toThrow();
  });
});

describe('findStringArray', () => {
  const find = (text: string) => {
    const part = findStringArray(Buffer.from(text), 'tags');
    return part && Buffer.from(part).toString();
  };

  it.each([
    ['{"tags":["a", "b\\n"] }', '["a", "b\\n"]'],
    ['{"name":"x","tags" : [ ]}', '[ ]'],
    ['{"tags":null}', null],
    ['{"tags":["a",1]}', undefined],
    ['{"tags":[["a"]]}', undefined],
    ['{"tags":{"a":"b"}}', undefined],
    ['{"tags":"a"}', undefined],
    ['{"x":{"tags":["a"]}}', undefined],
    ['{"x":1}', undefined],
    ['{}', undefined],
    ['["tags"]', undefined],
    ['null', undefined],
  ])('of %s is %s', (text, expected) => {
    expect(find(text)).toBe(expected);
  });

  it('throws for what is no JSON', () => {
    expect(() => find('{"tags":["a"]')).toThrow(JsonError);
    expect(() => find('{"tags":["a"]}x')).toThrow(JsonError);
  });
});

const fill = (part: string) => part.repeat(Math.floor(limit / part.length));
const list = (part: string) => `[${fill(`${part},`).slice(0, -1)}]`;
const numbered = (part: (index: string) => string) => {
  const parts: string[] = [];
  for (let index = 0, size = 0; size < limit; index += 1) {
    const text = part(index.toString(36));
    parts.push(text);
    size += text.length;
  }
  return parts.join('').slice(0, -1);
};

/** 4 MB each, of the kinds that take parsers long. */
const hostile: Record<string, () => string> = {
  'arrays in arrays': () => '['.repeat(limit),
  'objects in objects': () => fill('{"a":'),
  'empty objects': () => list('{}'),
  'empty arrays': () => list('[]'),
  'arrays of 60 levels': () => list('['.repeat(60) + ']'.repeat(60)),
  'objects of one field': () => list('{"a":1}'),
  'objects of a field each with its own name': () => `[${numbered((name) => `{"${name}":1},`)}]`,
  'fields with names of their own': () => `{${numbered((name) => `"${name}":1,`)}}`,
  'fields with escaped names': () => `{${numbered((name) => `"\\n${name}":1,`)}}`,
  'fields with one name': () => `{${fill('"a":1,').slice(0, -1)}}`,
  'wanted fields again and again': () => `{${fill('"layers":[],').slice(0, -1)}}`,
  'strings of their own': () => list('"a"'),
  numbers: () => list('1'),
  'a long number': () => `[1${'0'.repeat(limit)}]`,
  'a long fraction': () => `[0.${'123456789'.repeat(limit / 9)}]`,
  escapes: () => `["${fill('\\u0041')}"]`,
  'white space': () => `${' '.repeat(limit)}{}`,
  'no ASCII': () => `["${'é'.repeat(limit / 2)}"]`,
};

describe('4 MB of', () => {
  it.each(Object.keys(hostile))('%s take no more than 50 ms', (name) => {
    const text = hostile[name]!();
    const bytes = Buffer.from(text.startsWith('{') ? text : `{"layers":${text},"a":1}`);
    // Of the processor: others use it too.
    const times = Array.from({ length: 8 }, () => {
      const start = process.cpuUsage();
      accepts(() => readJson(bytes, shape));
      return process.cpuUsage(start).user / 1000;
    });
    console.log(`${name}: ${Math.min(...times).toFixed(1)} ms`);
    expect(Math.min(...times)).toBeLessThan(50);
  });
});
