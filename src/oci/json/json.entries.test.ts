import { describe, expect, it } from 'vitest';
import { JsonError } from './json.js';
import { cut, readEntries } from './json.entries.js';

const read = (text: string, max = 10, longest = 100) => readEntries(Buffer.from(text), max, longest);

describe('the entries of an object', () => {
  it('are read with their names and texts, whatever else they are', () => {
    expect(read('{"a" : "b", "n":1.5,"o":{"x":[1]}, "q\\u0022": null }').entries).toEqual([
      { name: 'a', text: 'b' },
      { name: 'n', text: '1.5' },
      { name: 'o', text: '{"x":[1]}' },
      { name: 'q"', text: 'null' },
    ]);
    expect(read('{}')).toEqual({ entries: [], more: 0 });
    expect(read('[1]')).toEqual({ entries: [], more: 0 });
  });

  it('are counted beyond the most, cut when they are long, and may repeat', () => {
    expect(read('{"a":"1","a":"2","b":"3","c":"4"}', 2)).toEqual({
      entries: [
        { name: 'a', text: '1' },
        { name: 'a', text: '2' },
      ],
      more: 2,
    });
    const long = 'x'.repeat(1024 * 1024);
    const { entries } = read(JSON.stringify({ [long]: long, n: [long] }), 10, 5);
    expect(entries).toEqual([
      { name: 'xxxxx…', text: 'xxxxx…' },
      { name: 'n', text: '["xxx…' },
    ]);
    expect(cut('abc', 3)).toBe('abc');
  });

  it.each(['{', '{"a":1', '{"a":}', '{"a":1}x', '{"a" 1}', `{"a":${'['.repeat(70)}${']'.repeat(70)}}`])(
    'are none of %s',
    (text) => {
      expect(() => read(text)).toThrow(JsonError);
    },
  );
});
