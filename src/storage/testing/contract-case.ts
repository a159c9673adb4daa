import type { StorageProvider } from '../storage.provider.js';

/** Adds one case; the provider is initialized, empty, and closed afterwards. */
export type ContractCase = (name: string, body: (provider: StorageProvider) => Promise<void>) => void;
