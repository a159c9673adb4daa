/** The storage port for providers written outside this repository. */
export * from './storage.provider.js';
export * from './storage-error.js';
export { copyRange } from './copy.js';
export type { PositionedRead } from './positioned-read.js';
export { providerContract, type ContractRunner } from './testing/provider.contract.js';
