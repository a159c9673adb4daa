import { Digest } from '../digest.js';
import { cut, readEntries, type JsonEntries } from '../json/json.entries.js';
import { findObject, JsonError, readJson, type JsonShape } from '../json/json.js';
import { isObject } from '../manifest.js';
import type { Platform } from '../platform.js';
import { artifactKind, type ArtifactKind } from './artifact-kind.js';

/** Largest document that is read for a page, in bytes: reading one of this size takes 5 to 20 ms. */
export const maxShownBytes = 512 * 1024;
/** Most descriptors of one list that are shown, and that are counted; a document of that size has room for fewer. */
const maxShown = 200;
const maxCounted = 20_000;
/** Most annotations or labels. */
const maxEntries = 100;
/** Most characters of a text. */
export const maxText = 1_000;

/** Annotations of descriptors that say what they are. */
const told = {
  title: 'org.opencontainers.image.title',
  predicate: 'in-toto.io/predicate-type',
  referenceType: 'vnd.docker.reference.type',
  referenceDigest: 'vnd.docker.reference.digest',
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  bundle: 'dev.sigstore.cosign/bundle',
} as const;

const descriptor: JsonShape = {
  fields: {
    mediaType: 'value',
    digest: 'value',
    blobSum: 'value',
    size: 'value',
    artifactType: 'value',
    urls: { items: 'value', max: 1 },
    platform: { fields: { os: 'value', architecture: 'value', variant: 'value', 'os.version': 'value' } },
    annotations: { fields: Object.fromEntries(Object.values(told).map((name) => [name, 'value'])) },
  },
};
const descriptors: JsonShape = { items: descriptor, max: maxCounted };
const shape: JsonShape = {
  fields: {
    artifactType: 'value',
    config: descriptor,
    layers: descriptors,
    blobs: descriptors,
    fsLayers: descriptors,
    manifests: descriptors,
    subject: descriptor,
  },
};

/** A descriptor, as far as a page shows it. Texts are cut, and otherwise as they were written. */
export interface ShownDescriptor {
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  /** In bytes, as the document says. */
  readonly size: number | undefined;
  readonly artifactType: string | undefined;
  readonly platform: (Platform & { readonly osVersion?: string | undefined }) | undefined;
  /** Whether clients get it elsewhere. */
  readonly isForeign: boolean;
  readonly told: { readonly [name in keyof typeof told]?: string | undefined };
}

/** A manifest or index, as far as a page shows it. */
export interface ShownManifest {
  readonly kind: ArtifactKind;
  readonly artifactType: string | undefined;
  readonly config: ShownDescriptor | undefined;
  readonly layers: readonly ShownDescriptor[];
  readonly manifests: readonly ShownDescriptor[];
  /** Layers or manifests that are not shown. */
  readonly more: number;
  /** Bytes of config and layers together. */
  readonly size: number;
  readonly subject: Digest | undefined;
  readonly annotations: JsonEntries;
}

/** Undefined for a document that is too large or damaged to be shown. */
export function readShownManifest(body: Buffer, mediaType: string): ShownManifest | undefined {
  if (body.length > maxShownBytes) return undefined;
  return sound(() => {
    const document = readJson(body, shape);
    if (!isObject(document)) return undefined;
    const config = descriptorOf(document.config)[0];
    const allLayers = ['layers', 'blobs', 'fsLayers'].flatMap((field) => listOf(document[field]));
    const allManifests = listOf(document.manifests);
    const layers = allLayers.slice(0, maxShown).flatMap(descriptorOf);
    const manifests = allManifests.slice(0, maxShown).flatMap(descriptorOf);
    const artifactType = textOf(document.artifactType);
    const layerTypes = layers.map((layer) => layer.mediaType ?? '');
    return {
      kind: artifactKind({ mediaType, artifactType, configType: config?.mediaType, layerTypes }),
      artifactType,
      config,
      layers,
      manifests,
      more: Math.max(0, allLayers.length - maxShown) + Math.max(0, allManifests.length - maxShown),
      size: allLayers.reduce<number>((sum, layer) => sum + sizeIn(layer), config?.size ?? 0),
      subject: descriptorOf(document.subject)[0]?.digest,
      annotations: entriesIn(body, 'annotations'),
    };
  });
}

/** The entries of an object that is a field of the document; none where it is no object. @throws JsonError */
export function entriesIn(bytes: Uint8Array, field: string): JsonEntries {
  const part = findObject(bytes, field);
  return part ? readEntries(part, maxEntries, maxText) : { entries: [], more: 0 };
}

/** Undefined for what is no JSON. */
export function sound<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** A text of a document, cut. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? cut(value, maxText) : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function sizeIn(value: unknown): number {
  return isObject(value) ? (sizeOf(value.size) ?? 0) : 0;
}

function descriptorOf(value: unknown): ShownDescriptor[] {
  if (!isObject(value)) return [];
  const text = value.digest ?? value.blobSum;
  const digest = typeof text === 'string' ? Digest.find(text) : undefined;
  if (!digest) return [];
  const annotations = isObject(value.annotations) ? value.annotations : {};
  return [
    {
      digest,
      mediaType: textOf(value.mediaType),
      size: sizeOf(value.size),
      artifactType: textOf(value.artifactType),
      platform: platformOf(value.platform),
      isForeign: listOf(value.urls).length > 0,
      // Certificates and bundles are parsed, so that they are not cut.
      told: Object.fromEntries(Object.entries(told).map(([name, key]) => [name, asIs(annotations[key])])),
    },
  ];
}

function asIs(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 64 * 1024 ? value : undefined;
}

function platformOf(value: unknown): ShownDescriptor['platform'] {
  if (!isObject(value)) return undefined;
  const [os, architecture] = [textOf(value.os), textOf(value.architecture)];
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, variant: textOf(value.variant), osVersion: textOf(value['os.version']) };
}

function sizeOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
