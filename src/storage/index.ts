/** The storage port for providers written outside this repository. */
export * from './storage.provider.js';
export * from './storage-error.js';
export { copyRange, type PositionedRead } from './copy.js';
export { providerContract, type ContractRunner } from './testing/provider.contract.js';
