import { Logger } from '@nestjs/common';
import type { CustomSettings } from '../../../config/storage.settings.js';
import { StorageError } from '../../storage-error.js';
import { StorageProvider } from '../../storage.provider.js';
import type { ProviderFactory, ProviderContext, ProviderOptions } from './provider.factory.js';
import { resolveModule } from './resolve-module.js';
import { Redactor } from './redactor.js';

/** Milliseconds allowed for loading the module, for making the provider and for initializing it, each. */
const deadline = 30_000;

/** Members that every provider has; the compiler checks that the list is complete. */
const members: Record<
  Exclude<keyof StorageProvider, 'bufferSpace' | 'isIncomplete' | 'lastUse' | 'resumable' | 'listNames'>,
  'method' | 'property'
> = {
  initialize: 'method',
  read: 'method',
  write: 'method',
  create: 'method',
  isExclusive: 'property',
  move: 'method',
  touch: 'method',
  capacity: 'method',
  urlOf: 'method',
  open: 'method',
  stat: 'method',
  delete: 'method',
  list: 'method',
  createIngest: 'method',
  sweepIngests: 'method',
  close: 'method',
};

/**
 * Loads an external provider.
 * @param folder base of relative paths and of the search for packages.
 * @throws StorageError with one line for the operator, which quotes no option values.
 */
export async function openCustom(settings: CustomSettings, folder: string): Promise<StorageProvider> {
  const { module } = settings;
  const options = Object.fromEntries(Object.entries(settings.option).map(([name, value]) => [name, value.reveal()]));
  const redactor = new Redactor(Object.values(options));
  const attempt = async <T>(what: string, action: () => T | Promise<T>): Promise<T> => {
    try {
      return await within(deadline, action);
    } catch (error) {
      throw new StorageError('failed', `${module} ${what}: ${redactor.line(error)}`, error);
    }
  };
  const url = resolveModule(module, folder);
  if (url === undefined) throw new StorageError('failed', `there is no module ${module} in or above ${folder}`);
  const loaded = await attempt('cannot be loaded', () => import(url) as Promise<unknown>);
  const make = defaultExport(loaded);
  if (make === undefined)
    throw new StorageError('failed', `${module} has no default export that is a class or a function`);
  const context = { logger: redactor.logger(new Logger('Storage')) };
  const provider = await attempt('cannot be opened', () => construct(make, options, context));
  const missing = missingMembers(provider);
  if (missing.length > 0)
    throw new StorageError('failed', `${module} does not provide a storage provider: it lacks ${missing.join(', ')}`);
  // A class of another version of the port, or of none, may lack what has a default.
  if (!('listNames' in provider)) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called as a method of the provider
    Object.assign(provider, { listNames: StorageProvider.prototype.listNames });
  }
  // Any error becomes one line for the operator.
  const initialize = provider.initialize.bind(provider);
  provider.initialize = () => attempt('cannot be used', initialize);
  return provider;
}

/** In modules compiled to CommonJS the default export is nested in the one that Node sees. */
function defaultExport(loaded: unknown): ProviderFactory | undefined {
  const outer = (loaded as { default?: unknown }).default;
  const inner = typeof outer === 'object' && outer !== null && 'default' in outer ? outer.default : outer;
  return typeof inner === 'function' ? (inner as ProviderFactory) : undefined;
}

function construct(make: ProviderFactory, options: ProviderOptions, context: ProviderContext) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(make)) || 'initialize' in Object(make.prototype);
  if (isClass) return new (make as new (...args: unknown[]) => StorageProvider)(options, context);
  return (make as (...args: unknown[]) => StorageProvider | Promise<StorageProvider>)(options, context);
}

/** By name instead of `instanceof`, since the package may have its own copy of the port. */
function missingMembers(provider: unknown): string[] {
  if (typeof provider !== 'object' || provider === null) return Object.keys(members);
  return Object.entries(members).flatMap(([name, kind]) => {
    // A property may not be readable before `initialize`.
    const isThere =
      kind === 'property' ? name in provider : typeof (provider as Record<string, unknown>)[name] === 'function';
    return isThere ? [] : [name];
  });
}

async function within<T>(milliseconds: number, action: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([Promise.resolve().then(action), late]).finally(() => clearTimeout(timer));
}
