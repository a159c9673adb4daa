import { Digest, type DigestAlgorithm } from './digest.js';
import { isIndex, isManifestMediaType, isSchema1, manifestMediaTypes, parseMediaType } from './media-type.js';

/** Largest manifest in bytes; the specification asks registries for at least 4 MiB, and containerd takes no more. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** A manifest as a registry sent it, checked as far as serving it needs. */
export interface Manifest {
  readonly body: Buffer;
  readonly mediaType: string;
  /** Computed from the body, or for schema 1 from its signed payload. */
  readonly digest: Digest;
  readonly subject?: Digest;
  /** Schema 1 is passed through and not kept: its digest is not that of its bytes. */
  readonly storable: boolean;
}

/** Why a document is no manifest to serve; the caller knows whom to blame. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/**
 * @param contentType the Content-Type header it came with.
 * @param algorithm that of the digest it was asked by.
 * @throws ManifestError when it is no JSON object, is of no manifest media type, or could be read as two kinds at once
 * (CVE-2021-41190).
 */
export function parseManifest(body: Buffer, contentType: string | undefined, algorithm: DigestAlgorithm): Manifest {
  const document = parseObject(body);
  const mediaType = mediaTypeOf(document, contentType);
  const foreign = isIndex(mediaType) ? ['layers', 'config', 'fsLayers'] : ['manifests'];
  if (foreign.some((field) => Object.hasOwn(document, field))) {
    throw new ManifestError('the document has fields of another kind of manifest');
  }
  if (isSchema1(mediaType)) {
    return { body, mediaType, digest: Digest.of(schema1Payload(body, document), algorithm), storable: false };
  }
  const subject =
    isObject(document.subject) && typeof document.subject.digest === 'string' && Digest.find(document.subject.digest);
  return { body, mediaType, digest: Digest.of(body, algorithm), storable: true, ...(subject && { subject }) };
}

function parseObject(body: Buffer): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new ManifestError('the document is not JSON', { cause });
  }
  if (!isObject(document)) throw new ManifestError('the document is not a JSON object');
  return document;
}

function mediaTypeOf(document: Record<string, unknown>, contentType: string | undefined): string {
  const sent = parseMediaType(contentType);
  const stated = typeof document.mediaType === 'string' ? document.mediaType : undefined;
  const sentIsManifest = sent !== undefined && isManifestMediaType(sent);
  if (sentIsManifest && stated !== undefined && isManifestMediaType(stated) && stated !== sent) {
    throw new ManifestError('the document and its Content-Type state different media types');
  }
  if (sentIsManifest) return sent;
  // Some object stores serve manifests as text or plain JSON; the document's own word is as good.
  if (stated !== undefined && isManifestMediaType(stated)) return stated;
  if (sent !== undefined && /^application\/.*json$/.test(sent) && document.schemaVersion === 2) {
    if (Array.isArray(document.manifests)) return manifestMediaTypes.ociIndex;
    if (isObject(document.config) && Array.isArray(document.layers)) return manifestMediaTypes.ociManifest;
  }
  throw new ManifestError('the answer is not of a manifest media type');
}

/**
 * The bytes that a signed schema 1 manifest's digest is over: the document up to `formatLength`, then `formatTail`
 * (Docker image manifest v2 schema 1, "Signed Manifests").
 */
function schema1Payload(body: Buffer, document: Record<string, unknown>): Buffer {
  const signature: unknown = Array.isArray(document.signatures) ? document.signatures[0] : undefined;
  if (signature === undefined) return body;
  if (!isObject(signature) || typeof signature.protected !== 'string')
    throw new ManifestError('the signature is malformed');
  const header = parseObject(Buffer.from(signature.protected, 'base64url'));
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
