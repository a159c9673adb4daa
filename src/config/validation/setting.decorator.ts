import 'reflect-metadata';
import { Secret } from '../values/secret.js';

/** Declares one setting; class-validator rules on the same property validate its value. */
export interface SettingOptions {
  /** Key in a file (`accept_invalid_certs`), or flag without its leading dashes (`check-cache-digest`). */
  readonly name: string;
  /** An earlier name, which stays valid in files. Giving both names is a mistake. */
  readonly alias?: string;
  /** Environment variable, for command-line settings. */
  readonly env?: string;
  /** Placeholder for the value in `--help`; absent for booleans. */
  readonly value?: string;
  readonly description: string;
  /** The default as a user would write it; the property's initial value is the effective one. */
  readonly default?: string;
  /** Converts text to the property's type; undefined for invalid text, which the property's rule then reports. */
  readonly parse?: (text: string) => unknown;
  /** For repeatable flags: converts all values of the flag, while `parse` converts that of the variable. */
  readonly parseEach?: (texts: readonly string[]) => unknown;
  /** The default and the value of a secret are never shown. */
  readonly secret?: boolean;
}

export interface Setting extends SettingOptions {
  readonly property: string;
}

type SettingsClass = abstract new () => object;
const key = Symbol('settings');

/** Declares a setting, so that its rules, default and documentation are in one place. */
export function Setting(options: SettingOptions): PropertyDecorator {
  return (target, property) => {
    const settings = settingsOf(target.constructor as SettingsClass);
    Reflect.defineMetadata(key, [...settings, { ...options, property: String(property) }], target.constructor);
  };
}

/** The settings of a class in declaration order. */
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

/** Splits at commas and trims each item. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

export function parseInteger(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Converts `a=b` items to a map of secrets; the last value of a name wins. Undefined when an item has no name. */
export function parsePairs(items: readonly string[]): Record<string, Secret> | undefined {
  const pairs = items.map((item) => /^([a-zA-Z][\w.-]*)=(.*)$/s.exec(item));
  if (pairs.some((pair) => pair === null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', new Secret(pair?.[2] ?? '')]));
}
