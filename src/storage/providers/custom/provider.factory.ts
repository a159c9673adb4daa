import type { StorageProvider } from '../../storage.provider.js';

/** What a provider may say while it runs. Values of its options are replaced by `***`. */
export interface ProviderLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  debug(message: string): void;
}

export interface ProviderContext {
  readonly logger: ProviderLogger;
}

/** The options of the command line by their names. */
export type ProviderOptions = Readonly<Record<string, string>>;

/** The default export of a module that provides a storage: a class with this constructor, or a function. */
export type ProviderFactory =
  | (new (options: ProviderOptions, context: ProviderContext) => StorageProvider)
  | ((options: ProviderOptions, context: ProviderContext) => StorageProvider | Promise<StorageProvider>);
