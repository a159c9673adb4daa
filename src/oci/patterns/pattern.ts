/** Whether a text is of a pattern in which `*` stands for any characters; takes time linear in both lengths. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  const end = text.length - last.length;
  let position = first.length;
  // The earliest place for each part leaves the most for those after it.
  for (const part of rest) {
    const found = text.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}

/** As `matchesPattern`, for text with slashes: `*` stands for characters within a part, `**` as a part for any number of parts. */
export function matchesPath(pattern: string, text: string): boolean {
  return matchesParts(pattern.split('/'), text.split('/'));
}

/** Matches part by part. `**` stands for any number of parts, as the last one for at least one. */
export function matchesParts(pattern: readonly string[], parts: readonly string[]): boolean {
  // Going back to the latest `**` is enough: what an earlier one could take, this one can.
  let [at, back, backPart] = [0, -1, 0];
  for (let index = 0; index < parts.length;) {
    const part = pattern[at];
    if (part === '**') {
      if (at === pattern.length - 1) return true;
      [back, backPart, at] = [at, index, at + 1];
    } else if (part !== undefined && matchesPattern(part, parts[index] ?? '')) {
      at += 1;
      index += 1;
    } else if (back !== -1) {
      backPart += 1;
      [at, index] = [back + 1, backPart];
    } else return false;
  }
  return at === pattern.length;
}
