/** Longest name that is compared. */
const longest = 64;

/**
 * The candidate that a misspelt name is nearest to; undefined if none is near.
 * @param share of the letters that may be wrong; one may always be.
 */
export function nearestName(name: string, candidates: Iterable<string>, share = 1 / 3): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  if (name.length > longest) return undefined;
  const folded = fold(name);
  for (const candidate of candidates) {
    const limit = Math.max(1, Math.floor(Math.min(name.length, candidate.length) * share));
    const distance = distanceOf(folded, fold(candidate));
    if (distance > limit || distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** Completes a sentence about an unknown name. */
export function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean ${name}?`;
}

/** `tagTtl`, `tag-ttl` and `TAG_TTL` are spellings of one name. */
function fold(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours that make one text of the other. */
function distanceOf(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const steps = [
        at(last, column) + 1,
        at(next, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        ...(isSwap ? [at(before, column - 2) + 1] : []),
      ];
      next.push(Math.min(...steps));
    }
    before = last;
    last = next;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
