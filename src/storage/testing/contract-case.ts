import type { StorageProvider } from '../storage.provider.js';

/** Adds a case with an initialized, empty provider, which is closed afterwards. */
export type ContractCase = (name: string, body: (provider: StorageProvider) => Promise<void>) => void;
