const units: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of `32MiB`, `1.5 GB` or `0B`; undefined for anything else, including a number without a unit. */
export function parseSize(text: string): number | undefined {
  const [, count, unit = ''] = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*([kKMGT]i?B|B)\s*$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return count === undefined || factor === undefined ? undefined : Math.round(Number(count) * factor);
}

/** Bytes, or a fraction of the disk between 0 and 1. */
export type Quota = number | { readonly share: number };

/** `50GiB` or `80%`; undefined for anything else. */
export function parseQuota(text: string): Quota | undefined {
  const [, percent] = /^\s*(\d{1,3}(?:\.\d)?)\s*%\s*$/.exec(text) ?? [];
  return percent === undefined ? parseSize(text) : { share: Number(percent) / 100 };
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.5 GiB`: at most three significant digits, so that columns stay narrow. */
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(binary.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${binary[power] ?? ''}`;
}
