import { IsOptional } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, kindOf } from '../configuration-error.js';
import { parseDuration } from '../values/duration.js';
import {
  AreRegistryHosts,
  IsCount,
  IsDuration,
  IsFlag,
  IsListenAddress,
  IsOneOf,
  IsRegistryHost,
  IsText,
} from './rules.js';
import { parseBoolean, parseInteger, Setting } from './setting.decorator.js';
import { validateSettings, type Values } from './validation.js';

class Example {
  @Setting({ name: 'host', description: '' })
  @IsRegistryHost()
  host = 'docker.io';

  @Setting({ name: 'hosts', description: '' })
  @AreRegistryHosts()
  hosts: string[] = [];

  @Setting({ name: 'tls_on', description: '', parse: parseBoolean })
  @IsFlag()
  tlsOn = true;

  @Setting({ name: 'time', alias: 'period', description: '', parse: parseDuration })
  @IsDuration()
  time = 1000;

  @Setting({ name: 'count', description: '', parse: parseInteger })
  @IsCount(1, 10)
  count = 5;

  @Setting({ name: 'level', description: '' })
  @IsOneOf(['low', 'high'])
  level = 'low';

  @Setting({ name: 'listen', description: '' })
  @IsListenAddress()
  listen = ':80';

  @Setting({ name: 'note', description: '' })
  @IsOptional()
  @IsText('a note', 20)
  note?: string;
}

const validate = (values: Values) => validateSettings(Example, values, (name) => `example.${name}`);
const problemsOf = (values: Values) =>
  validate(values).problems.map(({ path, kind, reason }) => `${path}: ${kind}: ${reason}`);

describe('an alias', () => {
  it('sets what the name sets, and stands in the path of its mistake', () => {
    expect(validate({ period: '5s' })).toMatchObject({ value: { time: 5000 }, problems: [] });
    expect(validate({ period: '5s', time: null })).toMatchObject({ value: { time: 5000 }, problems: [] });
    expect(problemsOf({ period: 5 })).toEqual([
      'example.period: a number: must be a duration such as 30s, 1h 30m or 14d',
    ]);
  });

  it('is one mistake beside the name, whatever the values are', () => {
    expect(problemsOf({ period: '5s', time: '5s' })).toEqual([
      'example.time: text: is the new name of period: set only one of them',
    ]);
    expect(problemsOf({ period: 'x', time: 'y' })).toHaveLength(1);
  });
});

describe('validateSettings', () => {
  it('keeps the defaults of what is absent, undefined or null', () => {
    expect(validate({})).toEqual({ value: new Example(), problems: [] });
    expect(validate({ host: undefined, count: null, note: null })).toEqual({ value: new Example(), problems: [] });
  });

  it('fills in text as its type, and values of a file as they are', () => {
    const expected = { host: 'quay.io', hosts: ['a.b'], tlsOn: false, time: 5000, count: 7, level: 'high' };
    const text = { host: 'quay.io', hosts: ['a.b'], tls_on: 'false', time: '5s', count: '7', level: 'high' };
    expect(validate(text)).toMatchObject({ value: expected, problems: [] });
    expect(validate({ ...text, tls_on: false, count: 7 })).toMatchObject({ value: expected, problems: [] });
    expect(validate({ ...text, tls_on: 0 })).toMatchObject({ value: expected, problems: [] });
    expect(validate(text).value).toBeInstanceOf(Example);
  });

  it('reports every mistake at once, with path, kind and reason', () => {
    expect(
      problemsOf({
        host: 'https://docker.io/',
        hosts: 'a.b',
        tls_on: 'yes',
        time: 10.5,
        count: 11,
        level: 'medium',
        listen: 8080,
        note: 'two\nlines',
        colour: 'red',
      }),
    ).toEqual([
      'example.host: text: must be a host name or address with an optional port, without scheme or path',
      'example.hosts: text: must be a list of host names with optional ports',
      'example.tls_on: text: must be true, false, 1 or 0',
      'example.time: a number: must be a duration such as 30s, 1h 30m or 14d',
      'example.count: a number: must be a whole number from 1 to 10',
      'example.level: text: must be one of low, high',
      'example.listen: a number: must be host:port, with a port up to 65535, or unix:/path',
      'example.note: text: must be a note',
      'example.colour: text: is not a known setting',
    ]);
  });

  const wrong: Record<string, unknown[]> = {
    host: ['', 7, [], {}, true, 'a b', 'a/b', 'user@host'],
    hosts: ['docker.io', {}, [7], ['a', ''], ['a', null]],
    tls_on: ['', 'on', 2, -1, [], {}, ['true'], 'constructor'],
    time: ['', '10', 'soon', 10, 10.5, 0, [], {}, ['10s'], true, Infinity, NaN],
    count: ['', '0', '11', '1.5', 0, 11, 1.5, NaN, [], [5], true],
    level: ['', 'LOW', 7, ['low']],
    listen: ['', '80', 80, {}],
    note: ['', 'x'.repeat(21), 'a\0', 'a\u007f', 7, {}],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      it(`does not take ${typeof value === 'number' ? value : JSON.stringify(value)} for ${name}`, () => {
        expect(validate({ [name]: value }).problems).toMatchObject([{ path: `example.${name}`, kind: kindOf(value) }]);
      });
    }
  }

  it('names a required setting that is missing', () => {
    class Required {
      @Setting({ name: 'name', description: '' })
      @IsText('a name')
      name!: string;
    }
    expect(validateSettings(Required, {}, (name) => name).problems).toEqual([
      { path: 'name', kind: 'missing', reason: 'must be a name' },
    ]);
  });

  it('reports unknown names, those of inherited properties and of the class itself too', () => {
    const values = JSON.parse('{"__proto__":{"note":"polluted"},"constructor":1,"toString":2,"tlsOn":false}') as Values;
    const { value, problems } = validate(values);
    expect(problems.map(({ path }) => path)).toEqual([
      'example.__proto__',
      'example.constructor',
      'example.toString',
      'example.tlsOn',
    ]);
    const unknown = 'is not a known setting';
    const suggestion = '; did you mean tls_on?';
    expect(problems.map(({ reason }) => reason)).toEqual([unknown, unknown, unknown, unknown + suggestion]);
    expect(value).toEqual(new Example());
    expect(value.note).toBeUndefined();
    expect(({} as { note?: string }).note).toBeUndefined();
  });

  it('does not take values from a prototype', () => {
    expect(validate(Object.create({ host: 'evil.example' }) as Values).value.host).toBe('docker.io');
  });

  it('cuts a name that is too long for a line', () => {
    expect(validate({ ['x'.repeat(10_000)]: 1 }).problems[0]?.path.length).toBeLessThan(100);
  });

  it('never quotes a value', () => {
    const planted = 'hunter2\n';
    const everything = Object.fromEntries(
      [...Object.keys(wrong), 'colour'].map((name) => [name, name === 'hosts' ? [planted] : planted]),
    );
    const { message } = new ConfigurationError(validate(everything).problems);
    expect(message.split('\n')).toHaveLength(9);
    expect(message).not.toContain('hunter2');
  });
});

describe('kindOf', () => {
  it('says what kind of value stands there', () => {
    const values = [undefined, null, '', 'x', 7, true, [], {}, 7n];
    expect(values.map(kindOf)).toEqual([
      'missing',
      'empty',
      'empty text',
      'text',
      'a number',
      'a boolean',
      'a list',
      'a map',
      'a bigint',
    ]);
  });
});
