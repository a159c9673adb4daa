export { sizeText } from '../../config/values/size.js';

/** `97 %`; 100 only for all, 0 only for none. */
export function ratioText(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = Math.round((part / whole) * 100);
  if (percent === 100 && part < whole) return '99 %';
  return percent === 0 && part > 0 ? '1 %' : `${percent} %`;
}

/** `3 d 4 h`: the two largest units. */
export function durationText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const units: [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const first = units.findIndex(([length]) => seconds >= length);
  if (first === -1) return '0 s';
  const parts = units.slice(first, first + 2).map(([length, unit], index) => {
    const larger = index === 0 ? undefined : units[first]?.[0];
    return { count: Math.floor((larger === undefined ? seconds : seconds % larger) / length), unit };
  });
  return parts
    .filter(({ count }) => count > 0)
    .map(({ count, unit }) => `${count} ${unit}`)
    .join(' ');
}

export function countText(count: number): string {
  return count.toLocaleString('en');
}

/** `2026-11-24 17:05 UTC`. */
export function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
