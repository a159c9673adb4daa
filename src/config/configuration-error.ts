/** One mistake in a configuration: its path, the kind of value found and the reason. Never the value, which may be a secret. */
export interface Problem {
  readonly path: string;
  readonly kind: string;
  readonly reason: string;
}

/** All mistakes in a configuration. The program prints them and exits with code 2. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(({ path, kind, reason }) => `${path}: ${kind}: ${reason}`).join('\n'));
  }
}

export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (value === '') return 'empty text';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}
