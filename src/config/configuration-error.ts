/** One mistake in a configuration: its path, the kind of value found and the reason. Never the value, which may be a secret. */
export interface Problem {
  readonly path: string;
  readonly kind: string;
  readonly reason: string;
  /** Line in the file that the mistake is in, from 1, and the file, if they are known. */
  readonly line?: number | undefined;
  readonly file?: string | undefined;
}

/** All mistakes in a configuration. The program prints them and exits with code 2. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(lineOf).join('\n'));
  }
}

/** Options and variables, whose values are text in any case. */
const textPath = /^(?:\S+ )?--[^[]+$|^[A-Z][A-Z0-9_]*$/;

/** The problem in one line. */
export function lineOf({ path, kind, reason, line, file }: Problem): string {
  const place = [file, line === undefined ? undefined : `line ${line}`].filter((part) => part !== undefined);
  const found = kind === 'text' && textPath.test(path) ? '' : `${kind}: `;
  return `${path}: ${found}${reason}${place.length === 0 ? '' : ` (${place.join(', ')})`}`;
}

export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (value === '') return 'empty text';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}
