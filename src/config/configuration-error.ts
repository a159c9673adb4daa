/** One mistake: where it is, what kind of value stands there, and what should. Never the value: it may be a secret. */
export interface Problem {
  readonly path: string;
  readonly kind: string;
  readonly reason: string;
}

/** Everything that is wrong with a configuration, at once. The program prints it and exits with 2. */
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
