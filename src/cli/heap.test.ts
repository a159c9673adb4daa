import { expect, test } from 'vitest';
import { compilersBeside } from './heap.js';

test('knows the compilers of V8', () => {
  const own = compilersBeside(['--max-old-space-size=100', '--enable-source-maps', '']);
  expect(own).toContain('opt');
  expect(own).toContain('sparkplug');
});

test.each(['--jitless', '--no-opt', '--no-maglev', '--no_sparkplug', '--maglev'])(
  'leaves compilers alone when Node is started with %s',
  (option) => {
    expect(compilersBeside(['--max-old-space-size=100', option])).toEqual([]);
  },
);
