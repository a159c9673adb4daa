const unit: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Longest duration in milliseconds: 100 years. */
const longest = 36_525 * 86_400_000;

/** Milliseconds of `14d`, `1h 30m`, `0s`; undefined for anything else, including a number without a unit. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 64 || !/^\s*(?:\d{1,9}\s*(?:ms|s|m|h|d|w)\s*)+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)\s*(ms|s|m|h|d|w)/g)];
  const total = parts.reduce((sum, [, count, name = '']) => sum + Number(count) * (unit[name] ?? 0), 0);
  return Math.min(total, longest);
}
