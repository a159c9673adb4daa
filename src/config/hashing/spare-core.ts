import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Whether this process may use a second core: the machine, the processes that the operator has started, and the quota of
 * the container leave one.
 * @param workers processes that serve.
 */
export function hasSpareCore(
  workers: number,
  cores = availableParallelism(),
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): boolean {
  return Math.min(cores, quotaOf(read)) >= Math.max(1, workers) + 1;
}

/** Cores that the control group of this process and those above it may use; Infinity without a limit. */
function quotaOf(read: (path: string) => string): number {
  const paths = [...groupsAbove(find(read, '/proc/self/cgroup')), ''];
  const second = paths.map((path) => parseQuota(find(read, `/sys/fs/cgroup${path}/cpu.max`)));
  const [quota, period] = ['quota', 'period'].map((name) => find(read, `/sys/fs/cgroup/cpu/cpu.cfs_${name}_us`));
  const first = Number(quota) > 0 ? Number(quota) / Number(period) : Infinity;
  return Math.min(...second, first);
}

/** The path of the group in version 2, and those of the groups around it. */
function groupsAbove(groups = ''): string[] {
  const [, path = ''] = /^0::(\/.*)$/m.exec(groups) ?? [];
  const names = path.split('/').filter((name) => name !== '' && name !== '..');
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

/** `max 100000` or `150000 100000`: microseconds in each period. */
function parseQuota(text = 'max'): number {
  const [quota, period] = text.trim().split(' ');
  return quota === 'max' ? Infinity : Number(quota) / Number(period) || Infinity;
}

function find(read: (path: string) => string, path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}
