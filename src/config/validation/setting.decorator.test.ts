import { describe, expect, it } from 'vitest';
import { ServerSettings } from '../server.settings.js';
import { parseBoolean, parseInteger, Setting, settingsOf } from './setting.decorator.js';
import { FilesystemSettings } from '../storage.settings.js';
import { UpstreamSettings } from '../upstream.settings.js';

class Example {
  @Setting({ name: 'first-one', description: 'a first', env: 'FIRST_ONE', default: '1' })
  first = 1;

  @Setting({ name: 'second', description: 'a second', secret: true })
  second?: string;
}

class More extends Example {
  @Setting({ name: 'third', description: 'a third' })
  third = true;
}

describe('Setting', () => {
  it('lists the settings of a class in the order of their declaration', () => {
    expect(settingsOf(Example)).toEqual([
      { property: 'first', name: 'first-one', description: 'a first', env: 'FIRST_ONE', default: '1' },
      { property: 'second', name: 'second', description: 'a second', secret: true },
    ]);
  });

  it('adds those of a subclass to the subclass only', () => {
    expect(settingsOf(More).map(({ name }) => name)).toEqual(['first-one', 'second', 'third']);
    expect(settingsOf(Example)).toHaveLength(2);
  });

  it('lists nothing for a class without settings', () => {
    class Plain {
      readonly value = 1;
    }
    expect(settingsOf(Plain)).toEqual([]);
  });
});

const classes = { ServerSettings, FilesystemSettings, UpstreamSettings };
for (const [name, type] of Object.entries(classes)) {
  const settings = settingsOf(type);
  const initial = new type() as unknown as Record<string, unknown>;

  describe(`the settings of ${name}`, () => {
    it('have names and environment variables of their own', () => {
      const names = settings.flatMap(({ name, alias }) => [name, ...(alias === undefined ? [] : [alias])]);
      expect(new Set(names).size).toBe(names.length);
      const variables = settings.flatMap(({ env }) => env ?? []);
      expect(new Set(variables).size).toBe(variables.length);
    });

    it('show the default that counts', () => {
      for (const { name: setting, property, parse, default: shown } of settings) {
        const value = initial[property];
        if (shown === undefined) expect(value ?? [], setting).toEqual([]);
        else if (Array.isArray(value)) expect(JSON.stringify(value), setting).toBe(shown);
        else expect(parse ? parse(shown) : shown, setting).toBe(value);
      }
    });

    it('show no default of a secret, and mark everything that looks like one', () => {
      for (const { name: setting, secret, default: shown } of settings) {
        if (/(?:password|secret|credentials|token)$/.test(setting)) expect(secret, setting).toBe(true);
        if (secret) expect(shown, setting).toBeUndefined();
      }
    });
  });
}

describe('the settings of the command line', () => {
  it('each have an environment variable', () => {
    for (const { name, env } of [...settingsOf(ServerSettings), ...settingsOf(FilesystemSettings)]) {
      expect(env, name).toMatch(/^[A-Z_]+$/);
    }
  });
});

describe('parseBoolean', () => {
  it('reads true, false, 1 and 0 in any case', () => {
    expect(['true', 'TRUE', 'True', '1'].map(parseBoolean)).toEqual([true, true, true, true]);
    expect(['false', 'FALSE', '0'].map(parseBoolean)).toEqual([false, false, false]);
  });

  for (const text of ['', 'yes', 'no', 'on', '2', '01', ' true', 'constructor', '__proto__', 'hasownproperty']) {
    it(`reads nothing in ${JSON.stringify(text)}`, () => expect(parseBoolean(text)).toBeUndefined());
  }
});

describe('parseInteger', () => {
  it('reads whole numbers', () => expect(['0', '64', '007'].map(parseInteger)).toEqual([0, 64, 7]));

  for (const text of ['', '-1', '+1', '1.5', '1e3', '0x10', ' 1', '1 ', 'one', '9'.repeat(16)]) {
    it(`reads nothing in ${JSON.stringify(text)}`, () => expect(parseInteger(text)).toBeUndefined());
  }
});
