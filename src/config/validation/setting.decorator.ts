import 'reflect-metadata';
import { Secret } from '../values/secret.js';

/** What a settings class says about one of its properties, besides its class-validator rules. */
export interface SettingOptions {
  /** Name in a file (`accept_invalid_certs`) or of a flag without its dashes (`check-cache-digest`). */
  readonly name: string;
  /** An earlier name, which stays valid in files. Giving both names is a mistake. */
  readonly alias?: string;
  /** Environment variable, for settings of the command line. */
  readonly env?: string;
  /** What `--help` shows in place of the value; absent for booleans. */
  readonly value?: string;
  readonly description: string;
  /** Shown as it would be written; the property's initial value is what counts. */
  readonly default?: string;
  /** From text to the property's type; undefined when the text is none, which the property's rule then reports. */
  readonly parse?: (text: string) => unknown;
  /** The flag may be given any number of times; this then gets all its texts, and `parse` that of the variable. */
  readonly parseEach?: (texts: readonly string[]) => unknown;
  /** A secret's default and value are never shown. */
  readonly secret?: boolean;
}

export interface Setting extends SettingOptions {
  readonly property: string;
}

type SettingsClass = abstract new () => object;
const key = Symbol('settings');

/** Declares a setting: its rule, its default and its documentation stand on one property. */
export function Setting(options: SettingOptions): PropertyDecorator {
  return (target, property) => {
    const settings = settingsOf(target.constructor as SettingsClass);
    Reflect.defineMetadata(key, [...settings, { ...options, property: String(property) }], target.constructor);
  };
}

/** The settings of a class in the order of their declaration. */
export function settingsOf(type: SettingsClass): readonly Setting[] {
  return (Reflect.getMetadata(key, type) as Setting[] | undefined) ?? [];
}

const booleans = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export function parseBoolean(text: string): boolean | undefined {
  return booleans.get(text.toLowerCase());
}

/** Items separated by commas; spaces around them do not count. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

export function parseInteger(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** From `a=b` to a map of secrets, the last of a name counts; undefined when one has no name. */
export function parsePairs(items: readonly string[]): Record<string, Secret> | undefined {
  const pairs = items.map((item) => /^([a-zA-Z][\w.-]*)=(.*)$/s.exec(item));
  if (pairs.some((pair) => pair === null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', new Secret(pair?.[2] ?? '')]));
}
