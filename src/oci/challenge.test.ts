import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from './challenge.js';

/** Challenges as plain objects, for comparing. */
const read = (...headers: string[]) =>
  parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)] as const);

const tokenCharacter = fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz".split(''));
const token = fc.string({ unit: tokenCharacter, minLength: 1, maxLength: 12 });
const quote = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`;
const value = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(...'a",\\ =B'.split('')), maxLength: 10 }),
  fc.constantFrom('https://auth.example/token?a=b,c', 'repository:a/b:pull,push', '', 'Basic realm="x"'),
);
const challenge = fc.record({
  scheme: token,
  parameters: fc.uniqueArray(fc.tuple(token, value), { selector: ([name]) => name.toLowerCase(), maxLength: 4 }),
});

describe('parseChallenges', () => {
  it('reads the challenge of a registry', () => {
    expect(
      read(
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull"',
      ),
    ).toEqual([
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/busybox:pull',
        },
      ],
    ]);
  });

  it('reads several challenges of one header and of several headers, in order', () => {
    expect(read('Bearer realm="https://a/",service="s",Basic realm="b"')).toEqual([
      ['bearer', { realm: 'https://a/', service: 's' }],
      ['basic', { realm: 'b' }],
    ]);
    expect(read('Basic realm="b"', 'Bearer realm="a"')).toEqual([
      ['basic', { realm: 'b' }],
      ['bearer', { realm: 'a' }],
    ]);
    expect(read('Negotiate, NTLM, Basic realm="b"')).toEqual([
      ['negotiate', {}],
      ['ntlm', {}],
      ['basic', { realm: 'b' }],
    ]);
  });

  it('reads credentials that are one token as no parameter', () => {
    expect(read('Negotiate YII=, Basic realm="b"')).toEqual([
      ['negotiate', {}],
      ['basic', { realm: 'b' }],
    ]);
    expect(read('Negotiate abc/+~==')).toEqual([['negotiate', {}]]);
  });

  it('reads commas, equals signs and escaped quotes inside quotes', () => {
    expect(read(String.raw`Bearer realm="a,b=\"c\" \\d", scope="x:y:pull,push"`)).toEqual([
      ['bearer', { realm: String.raw`a,b="c" \d`, scope: 'x:y:pull,push' }],
    ]);
  });

  it('reads values without quotes, odd white space, empty list elements and any case', () => {
    expect(read('BEARER  Realm = abc ,, ,\tSERVICE\t=\t"s" ,')).toEqual([['bearer', { realm: 'abc', service: 's' }]]);
  });

  it('takes the first of a repeated parameter', () => {
    expect(read('Bearer realm="first", REALM="second"')).toEqual([['bearer', { realm: 'first' }]]);
  });

  it('keeps what came before a malformed place', () => {
    expect(read('Bearer realm="https://a/", service="never closed')).toEqual([['bearer', { realm: 'https://a/' }]]);
    expect(read('Basic realm="b", @nonsense')).toEqual([['basic', { realm: 'b' }]]);
    expect(read('Basic realm="b", "Bearer"')).toEqual([['basic', { realm: 'b' }]]);
  });

  it('reads nothing where nothing is', () => {
    expect(read()).toEqual([]);
    expect(read('', ' ', ',', ', ,', '"', '=', '@')).toEqual([]);
  });

  it('takes names of inherited properties as any other', () => {
    const [first] = parseChallenges(['Bearer __proto__="p", constructor="c"']);
    expect(first?.parameters.get('__proto__')).toBe('p');
    expect(first?.parameters.get('constructor')).toBe('c');
  });

  it('reads any challenges back that a server may write into one header', () => {
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 5 }), (challenges) => {
        const header = challenges
          .map(({ scheme, parameters }) =>
            [scheme, parameters.map(([name, text]) => `${name}=${quote(text)}`).join(', ')].join(' ').trim(),
          )
          .join(', ');
        const expected = challenges.map(({ scheme, parameters }) => ({
          scheme: scheme.toLowerCase(),
          parameters: new Map(parameters.map(([name, text]) => [name.toLowerCase(), text])),
        }));
        expect(parseChallenges([header])).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws and always ends, whatever the text', () => {
    const confusing = fc.string({ unit: fc.constantFrom(...'aB=", \\\t;:/~@'.split('')), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), confusing)), (headers) => {
        for (const { scheme } of parseChallenges(headers)) expect(scheme).toMatch(/^[^\sA-Z"=,]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads 8 KiB of anything in a moment, and nothing beyond', () => {
    const size = 8192;
    const hostile = [
      'a',
      ' ',
      ',',
      '=',
      '"',
      '\\',
      'a ',
      'a=',
      'a,',
      'a="",',
      'a b,',
      'a =',
      ' ,',
      '\\"',
      'a b=c ',
      'a=====    ',
    ];
    const start = performance.now();
    for (const part of hostile) {
      for (const head of ['', 'Bearer ', 'Bearer realm="', 'Bearer realm=']) {
        parseChallenges([(head + part.repeat(size)).slice(0, size - 1) + '@']);
      }
    }
    expect(performance.now() - start).toBeLessThan(1000);
    expect(read(`${' '.repeat(size)}Bearer realm="a"`)).toEqual([]);
  });
});
