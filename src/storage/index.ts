/** The storage port for providers written outside this repository. */
export * from './storage.provider.js';
export * from './storage-error.js';
export { isKey } from './keys.js';
export { copyRange } from './reading/copy.js';
export type { PositionedRead } from './reading/positioned-read.js';
export type {
  ProviderContext,
  ProviderFactory,
  ProviderLogger,
  ProviderOptions,
} from './providers/custom/provider.factory.js';

/** Options of a provider, declared and checked as the program's own settings are. */
export { ConfigurationError, type Problem } from '../config/configuration-error.js';
export { parseDuration } from '../config/values/duration.js';
export * from '../config/validation/rules.js';
export { Secret, toSecret } from '../config/values/secret.js';
export {
  parseBoolean,
  parseInteger,
  parseList,
  Setting,
  type SettingOptions,
} from '../config/validation/setting.decorator.js';
export { parseSize } from '../config/values/size.js';
export { validateSettings, type Validated } from '../config/validation/validation.js';
export { readOptions } from './providers/custom/options.js';

export { providerContract, type ContractRunner } from './testing/provider.contract.js';
