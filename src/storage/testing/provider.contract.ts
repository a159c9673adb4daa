import type { StorageProvider } from '../storage.provider.js';
import type { ContractCase } from './contract-case.js';
import { exclusiveContract } from './exclusive.contract.js';
import { ingestContract } from './ingest.contract.js';
import { keyContract } from './key.contract.js';
import { listContract } from './list.contract.js';
import { moveContract } from './move.contract.js';
import { objectContract } from './object.contract.js';
import { resumableContract } from './resumable.contract.js';
import { storedObjectContract } from './stored-object.contract.js';
import { useContract } from './use.contract.js';

/** What the suite needs from a test framework; those of vitest, jest and node:test can be passed directly. */
export interface ContractRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/**
 * The contract that every storage provider must pass, with at least one case for each sentence of `storage.provider.ts`.
 * @param make creates an uninitialized provider on a separate, empty storage; `dispose` removes the storage after the
 * provider has been closed.
 */
export function providerContract(
  runner: ContractRunner,
  make: () => Promise<{ provider: StorageProvider; dispose(): Promise<void> }>,
): void {
  const add: ContractCase = (name, body) =>
    runner.it(name, async () => {
      const made = await make();
      const { provider } = made;
      try {
        await provider.initialize();
        await body(provider);
        await provider.close();
      } finally {
        await made.dispose();
      }
    });
  runner.describe('objects', () => objectContract(add));
  runner.describe('open objects', () => storedObjectContract(add));
  runner.describe('ingests', () => ingestContract(add));
  runner.describe('resumable ingests', () => resumableContract(add));
  runner.describe('lists', () => listContract(add));
  runner.describe('keys', () => keyContract(add));
  runner.describe('use times', () => useContract(add));
  runner.describe('exclusive objects', () => exclusiveContract(add));
  runner.describe('moves', () => moveContract(add));
}
