import { Logger } from '@nestjs/common';
import type { CustomSettings } from '../../../config/storage.settings.js';
import { StorageError } from '../../storage-error.js';
import type { StorageProvider } from '../../storage.provider.js';
import type { ProviderFactory, ProviderContext, ProviderOptions } from './provider.factory.js';
import { resolveModule } from './resolve-module.js';
import { Redactor } from './redactor.js';

/** Milliseconds in which a module has to be loaded, and a provider to be made and to be initialized: each. */
const deadline = 30_000;

/** A name for each member of the port: the compiler refuses this list when the port has another one. */
const members: Record<keyof StorageProvider, 'method' | 'property'> = {
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
 * Loads a provider that is written elsewhere.
 * @param folder where paths begin and packages are looked for.
 * @throws StorageError with one line for the person who started the program; it quotes no value of an option.
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
    throw new StorageError('failed', `${module} gives no storage provider: it lacks ${missing.join(', ')}`);
  // Its own errors are told as they are; whatever else it throws has no place for it to be told in.
  const initialize = provider.initialize.bind(provider);
  provider.initialize = () => attempt('cannot be used', initialize);
  return provider;
}

/** Modules that a compiler made CommonJS of have their default export inside of what Node takes for it. */
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

/** By name and not by `instanceof`: its package may have brought a copy of the port of its own. */
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
    timer = setTimeout(() => reject(new Error(`this takes longer than ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([Promise.resolve().then(action), late]).finally(() => clearTimeout(timer));
}
