import { inspect } from 'node:util';

/** A value that prints as `***` wherever it ends up; only `reveal`, where it is put on the wire, gives it back. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }
}

/** Wraps text; anything else is left for the rules to refuse. */
export function toSecret(value: Secret | string | undefined): Secret | undefined {
  return typeof value === 'string' ? new Secret(value) : value;
}
