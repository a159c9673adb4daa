import { Option, type Command } from 'commander';
import { settingsOf, type Setting } from '../config/validation/setting.decorator.js';
import type { Problem } from '../config/configuration-error.js';
import { didYouMean, nearestName } from '../config/validation/nearest-name.js';
import type { Texts } from '../config/settings.js';

export type Flags = Readonly<Record<string, unknown>>;
type SettingsClass = abstract new () => object;
export const helpFlags = '-h, --help';
/** Characters of the shortest variable that may be misspelt in any way, and of the shortest that may lack a letter. */
const shortestVariable = 8;
const shortestLacking = 5;

/** Adds an option for each setting of a class. */
export function addSettings(command: Command, type: SettingsClass): Command {
  for (const setting of settingsOf(type)) command.addOption(optionOf(setting));
  return command;
}

function optionOf({ name, value, description, env, default: fallback, parseEach }: Setting): Option {
  const notes = [env && `env: ${env}`, fallback !== undefined && `default: ${fallback}`].filter(Boolean).join(', ');
  const option = new Option(
    `--${name} ${value === undefined ? '[boolean]' : `<${value}>`}`,
    `${description}${notes && ` (${notes})`}`,
  );
  return parseEach
    ? option.argParser((text, before: readonly string[] | undefined) => [...(before ?? []), text])
    : option;
}

/** A flag takes precedence over its environment variable; an empty variable counts as unset. */
export function textOf(type: SettingsClass, flags: Flags): Texts {
  const texts = settingsOf(type).flatMap(({ name, env }) => {
    const flag = flags[camelCase(name)];
    const variable = env === undefined ? undefined : process.env[env];
    if (typeof flag === 'string' || Array.isArray(flag)) return [[name, flag]];
    return variable === undefined || variable === '' ? [] : [[name, variable]];
  });
  return Object.fromEntries(texts) as Texts;
}

/**
 * The environment variables that `textOf` takes values from, by their options.
 * @param prefix of the options: the command that they belong to, and a space.
 */
export function variablesOf(type: SettingsClass, flags: Flags, prefix = ''): [option: string, variable: string][] {
  return settingsOf(type).flatMap(({ name, env }) => {
    const isUsed = env !== undefined && flags[camelCase(name)] === undefined && (process.env[env] ?? '') !== '';
    return isUsed ? [[`${prefix}--${name}`, env]] : [];
  });
}

/** Variables with values whose names are nearly those of settings. Short names are too likely to be something else. */
export function misspeltVariables(classes: readonly SettingsClass[]): Problem[] {
  const known = new Set(classes.flatMap((type) => settingsOf(type).flatMap(({ env }) => env ?? [])));
  return Object.keys(process.env)
    .filter((name) => !known.has(name) && process.env[name] !== '')
    .flatMap((name) => {
      const nearest = name.length >= shortestVariable ? nearestName(name, known, 1 / 6) : lackingIn(name, known);
      const reason = `is not a known setting${didYouMean(nearest)}`;
      return nearest === undefined ? [] : [{ path: name, kind: 'a variable', reason }];
    });
}

/** The setting of which a short name lacks a letter or an underscore: other mistakes in it are too likely to be names. */
function lackingIn(name: string, known: ReadonlySet<string>): string | undefined {
  const isLacking = (whole: string) =>
    Array.from(whole, (_, at) => whole.slice(0, at) + whole.slice(at + 1)).includes(name);
  return name.length < shortestLacking ? undefined : [...known].find(isLacking);
}

/** Makes `--flag` alone mean true; otherwise commander would use the next word, even a subcommand, as its value. */
export function withBooleans(argv: readonly string[], classes: readonly SettingsClass[]): string[] {
  const booleans = new Set(
    classes.flatMap((type) =>
      settingsOf(type).flatMap(({ name, value }) => (value === undefined ? [`--${name}`] : [])),
    ),
  );
  return argv.flatMap((word, index) => {
    const next = argv[index + 1]?.toLowerCase() ?? '';
    return booleans.has(word) && !['true', 'false', '1', '0'].includes(next) ? [`${word}=true`] : [word];
  });
}

/** The options of a subcommand, so that the help of the program is complete. @param without settings that are listed elsewhere */
export function optionsHelp(command: Command, without?: SettingsClass): string {
  const help = command.createHelp();
  const others = new Set(['--help', ...(without ? settingsOf(without).map(({ name }) => `--${name}`) : [])]);
  const options = help.visibleOptions(command).filter(({ long }) => !others.has(long ?? ''));
  return options.map((option) => `  ${help.optionTerm(option)}  ${help.optionDescription(option)}`).join('\n');
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
