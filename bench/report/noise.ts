import { median, type Row, type Summary } from './summary.js';

/** How far apart the rounds of one peer may be, as a share of their median. */
export const toleratedSpread = 0.25;
/** How often a scenario is measured before its figures are shown as those of a noisy machine. */
export const attempts = 3;

/** How far apart the rounds are, as a share of their median; 0 of fewer than two. */
export function spreadOf(rounds: readonly number[]): number {
  return rounds.length < 2 ? 0 : (Math.max(...rounds) - Math.min(...rounds)) / median(rounds);
}

/**
 * What shows that other programs used the machine: a peer that is not ours, and whose throughput, or first figure, differs
 * between its rounds by more than is tolerated. The mirror's own figures do not count: they may be its fault.
 */
export function noiseOf({ peers, rows, failures }: Summary): string[] {
  const first = tellingRow(rows);
  if (first === undefined || failures.length > 0) return [];
  return peers.flatMap((peer, index) => {
    const spread = spreadOf(first.rounds[index] ?? []);
    if (peer.startsWith('mirror') || !(spread > toleratedSpread)) return [];
    return [`${first.label} of ${peer} differs by ${Math.round(spread * 100)} % between rounds`];
  });
}

/** Measures until the machine is quiet, or as often as `attempts` says: then the quietest of them. */
export async function measureQuietly(
  measure: () => Promise<Summary>,
  tell: (line: string) => void,
): Promise<{ readonly summary: Summary; readonly noise: readonly string[] }> {
  let best: { summary: Summary; noise: string[]; spread: number } | undefined;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const summary = await measure();
    const noise = noiseOf(summary);
    if (noise.length === 0) return { summary, noise };
    const spread = widestOf(summary);
    if (best === undefined || spread < best.spread) best = { summary, noise, spread };
    tell(`${summary.name}: the machine is noisy: ${noise.join('; ')}${attempt < attempts ? '; measuring again' : ''}`);
  }
  return best!;
}

function widestOf({ peers, rows }: Summary): number {
  const rounds = tellingRow(rows)?.rounds ?? [];
  return Math.max(...peers.map((peer, index) => (peer.startsWith('mirror') ? 0 : spreadOf(rounds[index] ?? []))));
}

/** Memory differs between rounds on a quiet machine, too. */
function tellingRow(rows: readonly Row[]): Row | undefined {
  return rows.find(({ better }) => better === 'more') ?? rows[0];
}
