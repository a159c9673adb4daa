import { ConfigurationError } from '../../../config/configuration-error.js';
import { validateSettings } from '../../../config/validation/validation.js';
import type { ProviderOptions } from './provider.factory.js';

/**
 * Options as a class of `@Setting`s describes them.
 * @throws ConfigurationError with every mistake, unknown options too; the program prints it and ends with 2.
 */
export function readOptions<T extends object>(type: new () => T, options: ProviderOptions): T {
  const { value, problems } = validateSettings(type, options, (name) => `custom --option ${name}`);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return value;
}
