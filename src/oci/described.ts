import { Digest } from './digest.js';

/** Descriptors read from one manifest; real ones have a few dozen. */
const maxDescribed = 1_000;

/** The digests that a manifest refers to. */
export interface Described {
  /** Configuration and layers. */
  readonly blobs: readonly Digest[];
  /** The manifests of an index. */
  readonly manifests: readonly Digest[];
}

/** Reads all valid descriptors; a document that is not a manifest has none. */
export function findDescribed(body: Buffer): Described {
  let document: unknown;
  try {
    document = JSON.parse(body.toString('utf8'));
  } catch {
    return { blobs: [], manifests: [] };
  }
  if (typeof document !== 'object' || document === null) return { blobs: [], manifests: [] };
  const { config, layers, manifests } = document as Record<string, unknown>;
  return { blobs: digestsOf([config, ...listOf(layers)]), manifests: digestsOf(listOf(manifests)) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, maxDescribed) : [];
}

function digestsOf(descriptors: readonly unknown[]): Digest[] {
  return descriptors.flatMap((descriptor) => {
    if (typeof descriptor !== 'object' || descriptor === null || !('digest' in descriptor)) return [];
    const digest = typeof descriptor.digest === 'string' ? Digest.find(descriptor.digest) : undefined;
    return digest ? [digest] : [];
  });
}
