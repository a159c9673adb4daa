import { Digest } from '../digest.js';
import { JsonError, readJson, type JsonShape } from '../json/json.js';

/** Descriptors read from one manifest; real ones have a few dozen. */
const maxDescribed = 1_000;

const descriptor: JsonShape = { fields: { digest: 'value' } };
const descriptors: JsonShape = { items: descriptor, max: maxDescribed };
const shape: JsonShape = {
  fields: { config: descriptor, layers: descriptors, blobs: descriptors, manifests: descriptors },
};

/** The digests that a manifest refers to. */
export interface Described {
  /** Configuration and layers, or the blobs of an artifact manifest. */
  readonly blobs: readonly Digest[];
  /** The manifests of an index. */
  readonly manifests: readonly Digest[];
}

/** Reads all valid descriptors; a document that is not a manifest has none. */
export function findDescribed(body: Buffer): Described {
  let document: unknown;
  try {
    document = readJson(body, shape);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return { blobs: [], manifests: [] };
  }
  if (typeof document !== 'object' || document === null) return { blobs: [], manifests: [] };
  const { config, layers, blobs, manifests } = document as Record<string, unknown>;
  return { blobs: digestsOf([config, ...listOf(layers), ...listOf(blobs)]), manifests: digestsOf(listOf(manifests)) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function digestsOf(values: readonly unknown[]): Digest[] {
  return values.flatMap((value) => {
    if (typeof value !== 'object' || value === null || !('digest' in value)) return [];
    const digest = typeof value.digest === 'string' ? Digest.find(value.digest) : undefined;
    return digest ? [digest] : [];
  });
}
