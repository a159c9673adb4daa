import { validateSync } from 'class-validator';
import { kindOf, type Problem } from '../configuration-error.js';
import { settingsOf, type Setting } from './setting.decorator.js';

export type Values = Readonly<Record<string, unknown>>;

export interface Validated<T> {
  readonly value: T;
  readonly problems: readonly Problem[];
}

/** A file's numbers and booleans are read as their text is, so that `10` is no duration there either. */
function parseScalar(parse: (text: string) => unknown, raw: unknown): unknown {
  const text = String(raw);
  return parse(text) ?? text;
}

function parsed({ parse, parseEach }: Setting, raw: unknown): unknown {
  if (parseEach && Array.isArray(raw)) return parseEach(raw.map(String)) ?? raw;
  return parse && typeof raw !== 'object' ? parseScalar(parse, raw) : raw;
}

/**
 * Fills a settings class from values as a file or a command line gives them, and checks it.
 * Absent and null values keep the property's default; every mistake is reported, unknown names too.
 * @param at how a setting's path is written in a problem, `--listen` or `upstreams[2].host`.
 */
export function validateSettings<T extends object>(
  type: new () => T,
  values: Values,
  at: (name: string) => string,
): Validated<T> {
  const settings = settingsOf(type);
  const value = new type();
  const given = new Map<string, unknown>();
  for (const setting of settings) {
    const { name, property } = setting;
    const raw = Object.hasOwn(values, name) ? values[name] : undefined;
    if (raw === undefined || raw === null) continue;
    given.set(property, raw);
    Object.assign(value, { [property]: parsed(setting, raw) });
  }
  const broken = validateSync(value, { stopAtFirstError: true }).map(({ property, constraints = {} }) => ({
    path: at(settings.find((setting) => setting.property === property)?.name ?? property),
    kind: kindOf(given.get(property)),
    reason: Object.values(constraints)[0] ?? 'is not valid',
  }));
  const unknown = Object.keys(values)
    .filter((name) => !settings.some((setting) => setting.name === name))
    .map((name) => ({ path: at(name.slice(0, 64)), kind: kindOf(values[name]), reason: 'is not a known setting' }));
  return { value, problems: [...broken, ...unknown] };
}
