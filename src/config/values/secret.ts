import { inspect } from 'node:util';

/** A value that prints as `***` everywhere. Call `reveal` only where the value is sent. */
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

/** Wraps text; leaves anything else for the rules to reject. */
export function toSecret(value: Secret | string | undefined): Secret | undefined {
  return typeof value === 'string' ? new Secret(value) : value;
}
