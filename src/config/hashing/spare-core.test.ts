import { expect, it } from 'vitest';
import { hasSpareCore } from './spare-core.js';

const files = (contents: Readonly<Record<string, string>>) => (path: string) => {
  const content = contents[path];
  if (content === undefined) throw new Error('ENOENT');
  return content;
};
const own = '/proc/self/cgroup';

it.each([
  [true, 'two cores', 1, 2, {}],
  [false, 'one core', 1, 1, {}],
  [false, 'as many workers as cores', 2, 2, {}],
  [true, 'fewer workers than cores', 2, 4, {}],
  [false, 'a quota of one and a half', 1, 8, { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }],
  [true, 'a quota of two', 1, 8, { '/sys/fs/cgroup/cpu.max': '200000 100000\n' }],
  [true, 'no quota', 1, 8, { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }],
  [
    false,
    'a quota of its own group',
    1,
    8,
    { [own]: '0::/system.slice/a.service\n', '/sys/fs/cgroup/system.slice/a.service/cpu.max': '100000 100000\n' },
  ],
  [
    false,
    'a quota of a group around it',
    1,
    8,
    { [own]: '0::/a.slice/b.service\n', '/sys/fs/cgroup/a.slice/cpu.max': '50000 100000\n' },
  ],
  [
    false,
    'a quota of version 1',
    1,
    8,
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
  ],
  [
    true,
    'no quota of version 1',
    1,
    8,
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
  ],
  [true, 'what cannot be understood', 1, 8, { '/sys/fs/cgroup/cpu.max': 'nonsense', [own]: 'nonsense' }],
] as const)('says %s of %s', (isSpare, _, workers, cores, contents) => {
  expect(hasSpareCore(workers, cores, files(contents))).toBe(isSpare);
});
