import { Digest } from '../digest.js';
import { JsonError, readJson, type JsonShape } from '../json/json.js';
import { isObject, ManifestError } from '../manifest.js';
import { isIndex, isManifestMediaType } from '../media-type.js';

/** Most descriptors of one list: more than any document that is accepted has. */
const maxDescriptors = 20_000;

const descriptor: JsonShape = { fields: { digest: 'value' } };
const descriptors: JsonShape = { items: descriptor, max: maxDescriptors };
const shape: JsonShape = {
  fields: { config: descriptor, layers: descriptors, blobs: descriptors, manifests: descriptors, subject: descriptor },
};

/** What keeps other content from being garbage. */
export interface NamedDigests {
  /** Everything that the document names, non-distributable layers included. */
  readonly all: ReadonlySet<string>;
  /** What an index lists. */
  readonly children: readonly string[];
  readonly subject: string | undefined;
}

/**
 * Every digest in a stored manifest. Documents of unknown types may name content in fields of their own, so that all texts in
 * them count.
 * @throws ManifestError when the document cannot be read whole
 */
export function namedDigests(body: Buffer, mediaType: string): NamedDigests {
  const document = read(body);
  const { config, layers, blobs, manifests, subject } = document;
  const lists = [layers, blobs, manifests].map((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  if (lists.some(({ length }) => length >= maxDescriptors)) throw new ManifestError('a list has too many descriptors');
  const named = [config, subject, ...lists.flat()].flatMap((entry) => digestOf(entry) ?? []);
  const others = isManifestMediaType(mediaType) ? [] : digestsInText(body);
  const children = isIndex(mediaType) ? (lists[2] ?? []).flatMap((entry) => digestOf(entry) ?? []) : [];
  return { all: new Set([...named, ...others]), children, subject: digestOf(subject) };
}

function read(body: Buffer): Record<string, unknown> {
  try {
    const document = readJson(body, shape);
    if (isObject(document)) return document;
  } catch (cause) {
    if (cause instanceof JsonError) throw new ManifestError(cause.message, { cause });
    throw cause;
  }
  throw new ManifestError('the document is not a JSON object');
}

function digestOf(value: unknown): string | undefined {
  const digest = isObject(value) && typeof value.digest === 'string' ? Digest.find(value.digest) : undefined;
  return digest?.toString();
}

function digestsInText(body: Buffer): string[] {
  return body.toString('latin1').match(/sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}/g) ?? [];
}
