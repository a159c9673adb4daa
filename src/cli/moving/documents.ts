import { Digest } from '../../oci/digest.js';
import { readJson, type JsonShape } from '../../oci/json/json.js';
import { isObject, ManifestError, maxManifestBytes } from '../../oci/manifest.js';
import { isIndex, isManifestMediaType, mayLabelManifest } from '../../oci/media-type.js';
import { parsePushedManifest } from '../../oci/manifests/pushed-manifest.js';
import type { Platform } from '../../oci/platform.js';
import { MoveError } from './move-error.js';

/** Most entries of a list in a manifest. */
const maxEntries = 20_000;

/** A manifest as it is stored. */
export interface RawManifest {
  readonly body: Buffer;
  readonly mediaType?: string | undefined;
}

/** Something that a manifest names. */
export interface Entry {
  readonly digest: Digest;
  readonly size: number | undefined;
  readonly mediaType: string | undefined;
  readonly platform: Platform | undefined;
  /** The manifest that an attestation of BuildKit is about. */
  readonly attests: string | undefined;
}

/** A verified manifest. */
export interface Document extends Required<RawManifest> {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly subject: Digest | undefined;
  readonly artifactType: string | undefined;
  /** Configuration and layers. */
  readonly blobs: readonly Entry[];
  /** Manifests of an index. */
  readonly children: readonly Entry[];
  /** Layers that are not distributed. */
  readonly foreign: number;
}

const entry: JsonShape = {
  fields: {
    mediaType: 'value',
    digest: 'value',
    size: 'value',
    platform: { fields: { os: 'value', architecture: 'value', variant: 'value' } },
    annotations: { fields: { 'vnd.docker.reference.digest': 'value' } },
  },
};
const entries: JsonShape = { items: entry, max: maxEntries };
const shape: JsonShape = { fields: { config: entry, layers: entries, blobs: entries, manifests: entries } };

/** @throws MoveError when it does not have the digest, or is not a manifest that a registry accepts */
export function readDocument({ body, mediaType }: RawManifest, digest: Digest): Document {
  if (body.length > maxManifestBytes) throw new MoveError(`manifest ${digest.toString()} is larger than 4 MiB`);
  // The digest of schema 1 is not that of its bytes.
  if (isOldSchema(body)) throw new MoveError(`manifest ${digest.toString()} ${schema1}`);
  if (!Digest.of(body, digest.algorithm).equals(digest))
    throw new MoveError(`manifest ${digest.toString()} has other content than its digest says`);
  const label = mediaType !== undefined && mayLabelManifest(mediaType) ? mediaType : undefined;
  try {
    const parsed = parsePushedManifest(body, label, digest.algorithm);
    const document = readJson(body, shape) as Record<string, unknown>;
    const index = isIndex(parsed.mediaType);
    const named = entriesOf(index ? document.manifests : [document.config, ...listOf(document.layers)]);
    // BuildKit's cache is an index of layers.
    const isBlob = ({ mediaType: type }: Entry) => index && type !== undefined && !isManifest(type);
    const known = new Set(parsed.blobs.map((each) => each.digest.toString()));
    const blobs = index
      ? named.filter(isBlob)
      : [...named, ...entriesOf(document.blobs)].filter((each) => known.has(each.digest.toString()));
    const children = index ? named.filter((each) => !isBlob(each)) : [];
    const { subject, artifactType } = parsed;
    const foreign = index ? 0 : named.filter((each) => !known.has(each.digest.toString())).length;
    return { body, mediaType: parsed.mediaType, digest, subject, artifactType, blobs, children, foreign };
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new MoveError(`manifest ${digest.toString()}: ${error.message}`);
  }
}

const schema1 =
  'is of schema 1, which registries and clients no longer accept: pull the image with an old Docker and push it again';

function isOldSchema(body: Buffer): boolean {
  try {
    const document = readJson(body, { fields: { schemaVersion: 'value' } });
    return isObject(document) && document.schemaVersion === 1;
  } catch {
    return false;
  }
}

function isManifest(mediaType: string): boolean {
  return isManifestMediaType(mediaType) || /[+.](?:manifest|index)\b.*json$/.test(mediaType);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Each digest once. */
export function entriesOf(value: unknown): Entry[] {
  const found = listOf(value).flatMap((each) => entryOf(each) ?? []);
  return [...new Map(found.map((each) => [each.digest.toString(), each])).values()];
}

function entryOf(value: unknown): Entry | undefined {
  const digest = isObject(value) && typeof value.digest === 'string' ? Digest.find(value.digest) : undefined;
  if (!isObject(value) || !digest) return undefined;
  const { size, mediaType, annotations } = value;
  const attests = isObject(annotations) ? annotations['vnd.docker.reference.digest'] : undefined;
  return {
    digest,
    size: Number.isSafeInteger(size) && Number(size) >= 0 ? Number(size) : undefined,
    mediaType: typeof mediaType === 'string' ? mediaType : undefined,
    platform: platformOf(value.platform),
    attests: typeof attests === 'string' ? attests : undefined,
  };
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value) || typeof value.os !== 'string' || typeof value.architecture !== 'string') return undefined;
  const { os, architecture, variant } = value;
  return { os, architecture, variant: typeof variant === 'string' && variant !== '' ? variant : undefined };
}
