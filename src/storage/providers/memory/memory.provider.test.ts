import { describe, it } from 'vitest';
import { providerContract } from '../../testing/provider.contract.js';
import { MemoryProvider } from './memory.provider.js';

describe('MemoryProvider', () => {
  providerContract({ describe, it }, () =>
    Promise.resolve({ provider: new MemoryProvider(), dispose: () => Promise.resolve() }),
  );
});
