import { setFlagsFromString } from 'node:v8';
import { afterEach, expect, test, vi } from 'vitest';

vi.mock('node:v8', () => ({ setFlagsFromString: vi.fn() }));
const given = vi.mocked(setFlagsFromString);

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
  given.mockClear();
});

function flags(): string[] {
  return given.mock.calls.map(([flag]) => flag);
}

test('turns on each compiler that it has turned off', async () => {
  const { postponeCompilers, useCompilers } = await import('./heap.js');
  postponeCompilers();
  expect(flags()).toContain('--no-opt');
  expect(flags()).toContain('--no-sparkplug');
  const off = flags().map((flag) => flag.replace('--no-', ''));
  given.mockClear();
  useCompilers();
  expect(flags().sort()).toEqual(off.map((name) => `--${name}`).sort());
});

test.each(['--jitless', '--no-opt', '--no-maglev', '--max-old-space-size=100 --no_sparkplug'])(
  'leaves compilers alone when Node is started with %s',
  async (options) => {
    vi.stubEnv('NODE_OPTIONS', options);
    const { postponeCompilers, useCompilers } = await import('./heap.js');
    postponeCompilers();
    useCompilers();
    expect(flags()).toEqual([]);
  },
);
