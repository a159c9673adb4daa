/** The platform of an image, as in an index (image specification, "Image Index"). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** Parses `linux/arm64` and `linux/arm/v7`. */
export function parsePlatform(text: string): Platform | undefined {
  if (text.length > 100) return undefined;
  const [, os, architecture, variant] = /^([a-z0-9._-]+)\/([a-z0-9._-]+)(?:\/([a-z0-9._-]+))?$/.exec(text) ?? [];
  return os === undefined || architecture === undefined ? undefined : { os, architecture, variant };
}

/** Whether an entry of an index matches; the variant counts only if one is requested. */
export function matchesPlatform(entry: Platform, wanted: Platform): boolean {
  return (
    entry.os === wanted.os &&
    entry.architecture === wanted.architecture &&
    (wanted.variant === undefined || entry.variant === wanted.variant)
  );
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}
