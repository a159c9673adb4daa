import { Digest, type DigestAlgorithm } from './digest.js';
import { JsonError, readJson, type JsonShape } from './json/json.js';
import {
  isIndex,
  isManifestMediaType,
  isSchema1,
  manifestMediaTypes,
  mayLabelManifest,
  parseMediaType,
  blobMediaType,
} from './media-type.js';

/** Largest manifest in bytes; the specification requires at least 4 MiB, and containerd accepts no more. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** A manifest as a registry sent it, validated as far as serving it requires. */
export interface Manifest {
  readonly body: Buffer;
  readonly mediaType: string;
  /** Computed from the body, or for schema 1 from its signed payload. */
  readonly digest: Digest;
  readonly subject?: Digest;
  /** False for schema 1, which is not stored because its digest is not that of its bytes. */
  readonly storable: boolean;
}

/** The fields that are read; clients interpret the others. */
const shape: JsonShape = {
  fields: {
    schemaVersion: 'value',
    mediaType: 'value',
    config: 'value',
    layers: 'value',
    fsLayers: 'value',
    manifests: 'value',
    subject: { fields: { digest: 'value' } },
    signatures: { items: { fields: { protected: 'value' } }, max: 1 },
  },
};
const protectedShape: JsonShape = { fields: { formatLength: 'value', formatTail: 'value' } };

/** The reason why a document is not a valid manifest. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/**
 * @param contentType the response's Content-Type header, which the document's own media type overrides.
 * @param algorithm the algorithm of the requested digest.
 * @param expected the requested digest. A JSON object with that digest is a manifest whatever its media type.
 * @throws ManifestError when the body is not a JSON object, has no manifest media type, or is ambiguous between two kinds
 * (CVE-2021-41190).
 */
export function parseManifest(
  body: Buffer,
  contentType: string | undefined,
  algorithm: DigestAlgorithm,
  expected?: Digest,
): Manifest {
  const document = parseObject(body, shape);
  const digest = Digest.of(body, algorithm);
  const isVouchedFor = expected?.equals(digest) === true;
  const mediaType = mediaTypeOf(document, contentType) ?? (isVouchedFor ? labelOf(contentType) : undefined);
  if (mediaType === undefined) throw new ManifestError('the response does not have a manifest media type');
  const foreign = isIndex(mediaType) ? ['layers', 'config', 'fsLayers'] : ['manifests'];
  if (foreign.some((field) => isPresent(document, field))) {
    throw new ManifestError('the document has fields of another manifest type');
  }
  if (isSchema1(mediaType)) {
    return { body, mediaType, digest: Digest.of(schema1Payload(body, document), algorithm), storable: false };
  }
  const subject =
    isObject(document.subject) && typeof document.subject.digest === 'string' && Digest.find(document.subject.digest);
  return { body, mediaType, digest, storable: true, ...(subject && { subject }) };
}

/** Go writes lists without entries as null. */
function isPresent(document: Record<string, unknown>, field: string): boolean {
  return Object.hasOwn(document, field) && document[field] !== null;
}

function parseObject(body: Buffer, wanted: JsonShape): Record<string, unknown> {
  let document: unknown;
  try {
    document = readJson(body, wanted);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new ManifestError(cause.message, { cause });
  }
  if (!isObject(document)) throw new ManifestError('the document is not a JSON object');
  return document;
}

/**
 * The document's own media type, else that of its Content-Type, else the one that matches its structure. A contradicting
 * Content-Type is wrong: Harbor and Artifactory have sent OCI indexes as Docker lists, object stores send binary data.
 */
export function mediaTypeOf(document: Record<string, unknown>, contentType: string | undefined): string | undefined {
  const sent = parseMediaType(contentType);
  const stated = typeof document.mediaType === 'string' ? parseMediaType(document.mediaType) : undefined;
  // An unknown type, as that of an ORAS artifact, counts when both agree or the Content-Type is generic.
  const isUsable = stated !== undefined && mayLabelManifest(stated);
  if (isUsable && (isManifestMediaType(stated) || stated === sent || isGeneric(sent))) return stated;
  if (sent !== undefined && isManifestMediaType(sent)) return sent;
  if (document.schemaVersion !== 2) return undefined;
  if (Array.isArray(document.manifests)) return manifestMediaTypes.ociIndex;
  const hasLayers = Array.isArray(document.layers) || document.layers === null;
  return isObject(document.config) && hasLayers ? manifestMediaTypes.ociManifest : undefined;
}

/** Whether a Content-Type says nothing about the kind of a JSON document. */
function isGeneric(sent: string | undefined): boolean {
  return sent === undefined || sent === blobMediaType || sent === 'application/json' || sent === 'text/plain';
}

function labelOf(contentType: string | undefined): string {
  const sent = parseMediaType(contentType);
  return sent !== undefined && mayLabelManifest(sent) ? sent : 'application/json';
}

/**
 * The signed payload of a schema 1 manifest, which its digest covers: the document up to `formatLength`, then `formatTail`
 * (Docker image manifest v2 schema 1, "Signed Manifests").
 */
function schema1Payload(body: Buffer, document: Record<string, unknown>): Buffer {
  const signature: unknown = Array.isArray(document.signatures) ? document.signatures[0] : undefined;
  if (signature === undefined) return body;
  if (!isObject(signature) || typeof signature.protected !== 'string')
    throw new ManifestError('the signature is malformed');
  const header = parseObject(Buffer.from(signature.protected, 'base64url'), protectedShape);
  const { formatLength, formatTail } = header;
  if (
    typeof formatLength !== 'number' ||
    typeof formatTail !== 'string' ||
    !(Number.isInteger(formatLength) && formatLength >= 0 && formatLength <= body.length)
  ) {
    throw new ManifestError('the signature is malformed');
  }
  return Buffer.concat([body.subarray(0, formatLength), Buffer.from(formatTail, 'base64url')]);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
