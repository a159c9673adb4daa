import { ConfigurationError } from '../../../config/configuration-error.js';
import { validateSettings } from '../../../config/validation/validation.js';
import type { ProviderOptions } from './provider.factory.js';

/**
 * Parses options into a class of `@Setting`s.
 * @throws ConfigurationError with every problem, including unknown options; the program prints it and exits with code 2.
 */
export function readOptions<T extends object>(type: new () => T, options: ProviderOptions): T {
  const { value, problems } = validateSettings(type, options, (name) => `custom --option ${name}`);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return value;
}
