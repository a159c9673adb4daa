import { Digest, type DigestAlgorithm } from '../digest.js';
import { findObject, JsonError, readJson, type JsonShape } from '../json/json.js';
import { isObject, ManifestError, mediaTypeOf } from '../manifest.js';
import {
  blobMediaType,
  isIndex,
  isManifestMediaType,
  isSchema1,
  mayLabelManifest,
  parseMediaType,
} from '../media-type.js';

/** Most descriptors of one manifest; 4 MiB have room for some more. */
const maxDescriptors = 20_000;
/** Most bytes of the annotations of a manifest with a subject: the list of referrers repeats them. */
const maxAnnotations = 1024 * 1024;

/** What clients send that do not know the type of a manifest. */
const generic: ReadonlySet<string> = new Set([blobMediaType, 'application/json']);

const descriptor: JsonShape = { fields: { mediaType: 'value', digest: 'value', size: 'value' } };
const descriptors: JsonShape = { items: descriptor, max: maxDescriptors };
const shape: JsonShape = {
  fields: {
    schemaVersion: 'value',
    mediaType: 'value',
    artifactType: 'value',
    config: descriptor,
    layers: descriptors,
    blobs: descriptors,
    fsLayers: 'value',
    manifests: descriptors,
    subject: descriptor,
  },
};

/** What a manifest states of content that it refers to. */
export interface PushedDescriptor {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number | undefined;
  readonly mediaType: string | undefined;
}

/** A manifest that a client pushes, and what it refers to. */
export interface PushedDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Configuration and layers that the repository must have. */
  readonly blobs: readonly PushedDescriptor[];
  /** Manifests that the repository must have. */
  readonly manifests: readonly PushedDescriptor[];
  readonly subject: Digest | undefined;
  /** As the list of referrers shows it. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * Parses strictly: what a registry accepts, its clients get.
 * @param algorithm of the digest.
 * @throws ManifestError when the document is no JSON object, does not have the media type of its Content-Type, has fields of
 * two kinds of manifests (CVE-2021-41190), or malformed descriptors.
 */
export function parsePushedManifest(
  body: Buffer,
  contentType: string | undefined,
  algorithm: DigestAlgorithm,
): PushedDocument {
  const document = read(body);
  const mediaType = statedType(document, contentType);
  if (isSchema1(mediaType)) throw new ManifestError('manifests of schema 1 are not accepted');
  checkKind(document, mediaType);
  const config = listOf(document.config === undefined ? [] : [document.config]);
  const isImage = isManifestMediaType(mediaType) && !isIndex(mediaType);
  // Documents of other types may use these names for anything else.
  const isKnown = isManifestMediaType(mediaType);
  const content = isKnown ? [...config, ...listOf(document.layers), ...listOf(document.blobs)] : [];
  const subject = isAbsent(document.subject) ? undefined : descriptorOf(document.subject, 'subject').digest;
  return {
    mediaType,
    digest: Digest.of(body, algorithm),
    blobs: content.filter((entry) => !isForeign(entry)).map((entry) => descriptorOf(entry, 'descriptor')),
    manifests: isIndex(mediaType) ? listOf(document.manifests).map((entry) => descriptorOf(entry, 'descriptor')) : [],
    subject,
    artifactType: textOf(document.artifactType) ?? (isImage ? configType(document.config) : undefined),
    annotations: subject && readAnnotations(body),
  };
}

function read(body: Buffer): Record<string, unknown> {
  const document = sound(() => readJson(body, shape));
  if (!isObject(document)) throw new ManifestError('the document is not a JSON object');
  return document;
}

function sound<T>(reading: () => T): T {
  try {
    return reading();
  } catch (cause) {
    if (cause instanceof JsonError) throw new ManifestError(cause.message, { cause });
    throw cause;
  }
}

/** The type of Content-Type and document, which must not contradict each other. */
function statedType(document: Record<string, unknown>, contentType: string | undefined): string {
  const { mediaType: own } = document;
  const stated = typeof own === 'string' ? parseMediaType(own) : undefined;
  if (own !== undefined && (stated === undefined || stated !== own))
    throw new ManifestError('mediaType is not a media type');
  const mediaType = mediaTypeOf(document, contentType);
  const sent = parseMediaType(contentType);
  const result = mediaType ?? (sent !== undefined && mayLabelManifest(sent) ? sent : undefined);
  if (result === undefined) throw new ManifestError('the document does not have a manifest media type');
  if (stated !== undefined && stated !== result)
    throw new ManifestError(`the document is of type ${stated}, and its Content-Type is ${result}`);
  const isContradiction = stated === undefined ? isManifestMediaType : (type: string) => !generic.has(type);
  if (sent !== undefined && sent !== result && isContradiction(sent))
    throw new ManifestError(`the document is of type ${result}, and its Content-Type is ${sent}`);
  return result;
}

/** What an image has an index must not have, and the other way round: clients would differ in what they see. */
function checkKind(document: Record<string, unknown>, mediaType: string): void {
  const has = (field: string) => !isAbsent(document[field]);
  const ofImage = has('layers') || has('config') || has('fsLayers');
  if (has('manifests') && ofImage) throw new ManifestError('the document has fields of an image and of an index');
  if (!isManifestMediaType(mediaType)) return;
  if (isIndex(mediaType)) {
    if (ofImage) throw new ManifestError('the index has fields of an image');
    if (!Array.isArray(document.manifests)) throw new ManifestError('the index has no list of manifests');
  } else if (has('manifests')) throw new ManifestError('the manifest has a field of an index');
  if (mediaType.includes('artifact')) return;
  if (document.schemaVersion !== 2) throw new ManifestError('schemaVersion is not 2');
  if (isIndex(mediaType)) return;
  if (!isObject(document.config)) throw new ManifestError('the manifest has no config');
  // Go writes lists without entries as null.
  if (!Array.isArray(document.layers) && document.layers !== null)
    throw new ManifestError('the manifest has no layers');
}

function listOf(value: unknown): readonly unknown[] {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) throw new ManifestError('a list of descriptors is no list');
  if (value.length >= maxDescriptors) throw new ManifestError(`a list has ${maxDescriptors} descriptors or more`);
  return value;
}

function descriptorOf(value: unknown, what: string): PushedDescriptor {
  const digest = isObject(value) && typeof value.digest === 'string' ? Digest.find(value.digest) : undefined;
  if (!isObject(value) || !digest) throw new ManifestError(`a ${what} has no valid digest`);
  const { size, mediaType } = value;
  if (size !== undefined && !(Number.isSafeInteger(size) && Number(size) >= 0))
    throw new ManifestError(`a ${what} has no valid size`);
  if (mediaType !== undefined && typeof mediaType !== 'string')
    throw new ManifestError(`a ${what} has no valid media type`);
  return { digest, size: size === undefined ? undefined : Number(size), mediaType };
}

/** Layers that are not distributed are at URLs of their own (image specification, "Non-Distributable Layers"). */
function isForeign(value: unknown): boolean {
  const type = isObject(value) ? textOf(value.mediaType) : undefined;
  return type !== undefined && (type.includes('.nondistributable.') || type.includes('.foreign.'));
}

function configType(config: unknown): string | undefined {
  return isObject(config) ? textOf(config.mediaType) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function readAnnotations(body: Buffer): Record<string, string> | undefined {
  const part = sound(() => findObject(body, 'annotations'));
  if (part === undefined) return undefined;
  if (part.length > maxAnnotations) throw new ManifestError(`the annotations have more than ${maxAnnotations} bytes`);
  const values = JSON.parse(Buffer.from(part).toString('utf8')) as Record<string, unknown>;
  const isSound = Object.values(values).every((value) => typeof value === 'string');
  if (!isSound) throw new ManifestError('annotations are not a map of texts');
  return values as Record<string, string>;
}
