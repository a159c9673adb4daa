import 'reflect-metadata';
import { afterAll, expect, vi } from 'vitest';

// The next file of the worker has the same process.
const before = { ...process.env };
afterAll(() => {
  expect({ ...process.env }, 'variables that the file has left behind').toEqual(before);
  expect(vi.isFakeTimers(), 'timers that the file has left behind').toBe(false);
});
