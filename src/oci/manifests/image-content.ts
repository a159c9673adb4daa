import { Digest } from '../digest.js';
import { readJson, type JsonShape } from '../json/json.js';
import { isIndex } from '../media-type.js';
import type { Platform } from '../platform.js';

/** Most entries that are read of one manifest. */
const maxEntries = 10_000;

const entry: JsonShape = {
  fields: {
    mediaType: 'value',
    digest: 'value',
    blobSum: 'value',
    size: 'value',
    urls: { items: 'value', max: 1 },
    platform: { fields: { os: 'value', architecture: 'value', variant: 'value' } },
  },
};
const entries: JsonShape = { items: entry, max: maxEntries };
const shape: JsonShape = {
  fields: { config: entry, manifests: entries, layers: entries, blobs: entries, fsLayers: entries },
};

/** A manifest or blob that a manifest names. */
export interface Entry {
  readonly digest: Digest;
  /** Bytes, as the manifest says. */
  readonly size: number;
  readonly platform?: Platform;
}

/** What a manifest consists of: other manifests, or blobs. */
export type ImageContent = { readonly manifests: readonly Entry[] } | { readonly blobs: readonly Entry[] };

/** The last entry of a cache that BuildKit exports as an index; the others are its layers, which are blobs. */
const buildkitCacheConfig = 'application/vnd.buildkit.cacheconfig.v0';

/**
 * Reads what a pull would fetch next. Like clients, it skips non-distributable layers, which have URLs of their own and
 * are not at the registry.
 */
export function contentOf(body: Buffer, mediaType: string): ImageContent {
  const document = readJson(body, shape) as Record<string, unknown>;
  if (isIndex(mediaType)) return contentOfIndex(listOf(document.manifests));
  // Schema 1 has `fsLayers`, in which layers repeat; early OCI artifacts have `blobs`.
  const layers = [document.layers, document.blobs, document.fsLayers].flatMap(listOf).filter((l) => !isForeign(l));
  return { blobs: entriesOf([document.config, ...layers]) };
}

function contentOfIndex(children: unknown[]): ImageContent {
  const isCache = children.some((child) => isObject(child) && child.mediaType === buildkitCacheConfig);
  return isCache ? { blobs: entriesOf(children) } : { manifests: entriesOf(children) };
}

function entriesOf(value: unknown): Entry[] {
  const found = listOf(value).slice(0, maxEntries).flatMap(entryOf);
  return [...new Map(found.map((each) => [each.digest.toString(), each])).values()];
}

function entryOf(value: unknown): Entry[] {
  if (!isObject(value)) return [];
  const text = value.digest ?? value.blobSum;
  const digest = typeof text === 'string' ? Digest.find(text) : undefined;
  if (!digest) return [];
  const size = typeof value.size === 'number' && Number.isSafeInteger(value.size) && value.size > 0 ? value.size : 0;
  const platform = platformOf(value.platform);
  return [{ digest, size, ...(platform && { platform }) }];
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value) || typeof value.os !== 'string' || typeof value.architecture !== 'string') return undefined;
  const { os, architecture, variant } = value;
  return { os, architecture, variant: typeof variant === 'string' ? variant : undefined };
}

function isForeign(layer: unknown): boolean {
  return isObject(layer) && Array.isArray(layer.urls) && layer.urls.length > 0;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
