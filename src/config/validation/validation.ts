import { validateSync } from 'class-validator';
import { kindOf, type Problem } from '../configuration-error.js';
import { didYouMean, nearestName } from './nearest-name.js';
import { settingsOf, type Setting } from './setting.decorator.js';

export type Values = Readonly<Record<string, unknown>>;

export interface Validated<T> {
  readonly value: T;
  readonly problems: readonly Problem[];
}

/** Numbers and booleans of a file are parsed like text, so that a bare `10` is not a duration there either. */
function parseScalar(parse: (text: string) => unknown, raw: unknown): unknown {
  const text = String(raw);
  return parse(text) ?? text;
}

function parsed({ parse, parseEach }: Setting, raw: unknown): unknown {
  if (parseEach && Array.isArray(raw)) return parseEach(raw.map(String)) ?? raw;
  return parse && typeof raw !== 'object' ? parseScalar(parse, raw) : raw;
}

/**
 * Creates a settings object from the values of a file or command line and validates it.
 * Absent and null values keep the default. Every mistake is reported, including unknown names.
 * @param at formats the path of a setting in a problem, such as `--listen` or `upstreams[2].host`.
 */
export function validateSettings<T extends object>(
  type: new () => T,
  values: Values,
  at: (name: string) => string,
): Validated<T> {
  const settings = settingsOf(type);
  const value = new type();
  const given = new Map<string, { readonly name: string; readonly raw: unknown }>();
  const repeated: Problem[] = [];
  for (const setting of settings) {
    const [name, other] = namesOf(setting).filter((candidate) => isGiven(values, candidate));
    if (name === undefined) continue;
    const raw = values[name];
    if (other !== undefined) {
      const reason = `is the new name of ${other}: set only one of them`;
      repeated.push({ path: at(name), kind: kindOf(raw), reason });
      continue;
    }
    given.set(setting.property, { name, raw });
    Object.assign(value, { [setting.property]: parsed(setting, raw) });
  }
  const broken = validateSync(value, { stopAtFirstError: true, forbidUnknownValues: false }).map(
    ({ property, constraints = {} }) => {
      const source = given.get(property);
      const name = source?.name ?? settings.find((setting) => setting.property === property)?.name ?? property;
      return { path: at(name), kind: kindOf(source?.raw), reason: Object.values(constraints)[0] ?? 'is not valid' };
    },
  );
  const known = new Set(settings.flatMap(namesOf));
  const unknown = Object.keys(values)
    .filter((name) => !known.has(name))
    .map((name) => {
      const reason = `is not a known setting${didYouMean(nearestName(name, known))}`;
      return { path: at(name.slice(0, 64)), kind: kindOf(values[name]), reason };
    });
  return { value, problems: [...broken, ...repeated, ...unknown] };
}

function namesOf({ name, alias }: Setting): string[] {
  return alias === undefined ? [name] : [name, alias];
}

function isGiven(values: Values, name: string): boolean {
  return Object.hasOwn(values, name) && values[name] !== undefined && values[name] !== null;
}
