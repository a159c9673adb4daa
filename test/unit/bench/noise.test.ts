import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { measureQuietly, noiseOf, spreadOf } from '../../../bench/report/noise.js';
import { sectionOf, unfitOf, type Measured } from '../../../bench/report/page.js';
import { replaceBetween } from '../../../bench/report/section.js';
import type { Summary } from '../../../bench/report/summary.js';

function summaryOf(mirror: readonly number[], other: readonly number[], failures: readonly string[] = []): Summary {
  const rounds = [mirror, other];
  const row = { key: 'throughput', label: 'throughput, GB/s', better: 'more', medians: [2, 1], rounds, ratios: [2] };
  return {
    name: 'warm-blob',
    title: 'one stored blob',
    peers: ['mirror', 'docker-registry'],
    rows: [row as Summary['rows'][number], { ...row, key: 'peak', rounds: [[1], [1, 9]] } as Summary['rows'][number]],
    failures,
  };
}

const quiet = summaryOf([1, 3], [1, 1.1]);
const noisy = summaryOf([1, 1], [1, 1.4]);
const noisier = summaryOf([1, 1], [1, 3]);

describe('the noise of a machine', () => {
  it.each([
    { rounds: [], spread: 0 },
    { rounds: [5], spread: 0 },
    { rounds: [4, 5, 6], spread: 0.4 },
    { rounds: [100, 100], spread: 0 },
  ])('is how far apart the rounds $rounds are', ({ rounds, spread }) => {
    expect(spreadOf(rounds)).toBeCloseTo(spread);
  });

  it('shows in the first figure of another program, not in the mirror, in memory or in what failed', () => {
    expect(noiseOf(noisy)).toEqual(['throughput, GB/s of docker-registry differs by 33 % between rounds']);
    expect(noiseOf(quiet)).toEqual([]);
    const [row] = noisy.rows;
    const memory = { ...row!, key: 'peakMiB', better: 'less' as const, rounds: [[1], [1, 9]] };
    expect(noiseOf({ ...quiet, rows: [memory, ...quiet.rows] })).toEqual([]);
    expect(noiseOf({ ...noisy, failures: ['it broke'] })).toEqual([]);
  });

  it('has a scenario measured again until the machine is quiet', async () => {
    const told: string[] = [];
    const results = [noisy, quiet, noisy];
    const { summary, noise } = await measureQuietly(
      () => Promise.resolve(results.shift()!),
      (line) => told.push(line),
    );
    expect([summary, noise, results.length]).toEqual([quiet, [], 1]);
    expect(told).toEqual([expect.stringMatching(/^warm-blob: the machine is noisy: .+; measuring again$/)]);
  });

  it('leaves the quietest of three attempts, and says so', async () => {
    const results = [noisier, noisy, noisier, quiet];
    const { summary, noise } = await measureQuietly(
      () => Promise.resolve(results.shift()!),
      () => undefined,
    );
    expect([summary, noise.length, results]).toEqual([noisy, 1, [quiet]]);
  });
});

describe('the page of figures', () => {
  const machine = {
    ...{ kernel: 'Linux 6', cores: 2, cpu: 'a CPU', memoryGiB: 8, load: 0.1 },
    ...{ mirror: '0.1.0', node: 'v20', dockerRegistry: '2.8', wrk: '4' },
  };
  const measured: Measured = {
    ...{ finishedAt: '2026-11-29T10:00:00Z', machine, rounds: 5, seconds: 4, shrink: 1 },
    scenarios: [{ ...quiet, noise: [] }],
  };

  it('has a line for each figure, and the machine', () => {
    const section = sectionOf(measured);
    expect(section).toContain('| throughput, GB/s ↑ | 2 | 1 (docker-registry) | 2.00 |');
    expect(section).toContain('medians of rounds: 5; one run of wrk: 4 s; 2026-11-29.');
  });

  it('is not written from what failed, was shrunk or was noisy', () => {
    expect(unfitOf(measured)).toEqual([]);
    expect(unfitOf({ ...measured, shrink: 10 })).toEqual(['sizes were divided by 10']);
    const failed = { ...quiet, failures: ['it broke'], noise: [] };
    expect(unfitOf({ ...measured, scenarios: [failed, { ...noisy, noise: ['x'] }] })).toEqual([
      'warm-blob failed',
      'warm-blob was measured on a noisy machine',
    ]);
  });

  it('has the markers between which it is written', () => {
    const begin = '<!-- bench: `npm run bench -- --write` writes what follows -->';
    const page = readFileSync('docs/performance.md', 'utf8');
    expect(replaceBetween(page, { begin, end: '<!-- end of bench -->' }, 'figures')).toContain('\n\nfigures\n\n');
  });
});
