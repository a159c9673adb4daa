import type { StorageProvider } from '../../storage.provider.js';

/** The logger of a provider. Values of its options are replaced by `***`. */
export interface ProviderLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  debug(message: string): void;
}

export interface ProviderContext {
  readonly logger: ProviderLogger;
}

/** Command-line options by name. */
export type ProviderOptions = Readonly<Record<string, string>>;

/** The default export of a provider module: a class with this constructor, or a function. */
export type ProviderFactory =
  | (new (options: ProviderOptions, context: ProviderContext) => StorageProvider)
  | ((options: ProviderOptions, context: ProviderContext) => StorageProvider | Promise<StorageProvider>);
