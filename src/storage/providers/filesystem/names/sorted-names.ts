/** The index of the first name behind a text. */
export function placeBehind(sorted: readonly string[], text: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > text) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Adds a name where it belongs, unless it is there. */
export function insertName(sorted: string[], name: string): void {
  const place = placeBehind(sorted, name);
  if (sorted[place - 1] !== name) sorted.splice(place, 0, name);
}

export function removeName(sorted: string[], name: string): void {
  const place = placeBehind(sorted, name) - 1;
  if (sorted[place] === name) sorted.splice(place, 1);
}
