/** What an image runs on, as indexes say it (image specification, "Image Index"). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** Reads `linux/arm64` and `linux/arm/v7`. */
export function parsePlatform(text: string): Platform | undefined {
  if (text.length > 100) return undefined;
  const [, os, architecture, variant] = /^([a-z0-9._-]+)\/([a-z0-9._-]+)(?:\/([a-z0-9._-]+))?$/.exec(text) ?? [];
  return os === undefined || architecture === undefined ? undefined : { os, architecture, variant };
}

/** Whether an index' entry is what was asked for; a variant only matters when one was. */
export function matchesPlatform(entry: Platform, asked: Platform): boolean {
  return (
    entry.os === asked.os &&
    entry.architecture === asked.architecture &&
    (asked.variant === undefined || entry.variant === asked.variant)
  );
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}
