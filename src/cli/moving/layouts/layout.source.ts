import type { Digest } from '../../../oci/digest.js';
import { JsonError, readJson, type JsonShape } from '../../../oci/json/json.js';
import { isObject, maxManifestBytes } from '../../../oci/manifest.js';
import { matchesPattern } from '../../../oci/patterns/pattern.js';
import { readFileOf, type Files } from '../archives/files.js';
import { NamedImages, parseStoredName } from '../archives/names.js';
import type { Choice, Collection, Root, Source } from '../content.js';
import { entriesOf, type RawManifest } from '../documents.js';
import { MoveError } from '../move-error.js';

const maxIndexBytes = 64 * 1024 * 1024;
const maxEntries = 200_000;
/** The tag of an image, in most tools; some put its whole name there. */
export const refName = 'org.opencontainers.image.ref.name';
/** The whole name, by Docker and containerd. */
const imageName = 'io.containerd.image.name';

const entry: JsonShape = {
  fields: {
    mediaType: 'value',
    digest: 'value',
    size: 'value',
    annotations: { fields: { [refName]: 'value', [imageName]: 'value' } },
  },
};
const shape: JsonShape = { fields: { manifests: { items: entry, max: maxEntries } } };

/** An image layout (image specification, "OCI Image Layout"). */
export class LayoutSource implements Source {
  private constructor(
    private readonly files: Files,
    private readonly groups: ReadonlyMap<string | undefined, readonly Root[]>,
  ) {}

  /** @throws MoveError */
  static async open(files: Files, choice: Choice): Promise<LayoutSource> {
    const version = parse(await readFileOf(files, 'oci-layout', maxManifestBytes), 'oci-layout', {
      fields: { imageLayoutVersion: 'value' },
    }).imageLayoutVersion;
    if (typeof version !== 'string' || !version.startsWith('1.'))
      throw new MoveError(`oci-layout: the version of the layout is not 1: ${String(version).slice(0, 64)}`);
    const index = parse(await readFileOf(files, 'index.json', maxIndexBytes), 'index.json', shape);
    return new LayoutSource(files, groupsOf(listOf(index.manifests), choice));
  }

  *collections(): Iterable<Collection> {
    for (const [name, roots] of this.groups) yield new LayoutCollection(this.files, name, roots);
  }

  close(): Promise<void> {
    return this.files.close();
  }
}

class LayoutCollection implements Collection {
  constructor(
    private readonly files: Files,
    readonly name: string | undefined,
    readonly images: readonly Root[],
  ) {}

  roots(): Iterable<Root> {
    return this.images;
  }

  async manifest({ digest, mediaType }: Pick<Root, 'digest' | 'mediaType'>): Promise<RawManifest> {
    if ((await this.sizeOf({ digest })) === undefined) throw new MoveError(`manifest ${digest.toString()} is missing`);
    return { body: await readFileOf(this.files, fileOf(digest), maxManifestBytes), mediaType };
  }

  sizeOf({ digest }: { readonly digest: Digest }): Promise<number | undefined> {
    return this.files.sizeOf(fileOf(digest));
  }

  blob(digest: Digest, offset: number): AsyncIterable<Uint8Array> {
    return this.files.read(fileOf(digest), offset);
  }
}

export function fileOf({ algorithm, hex }: Digest): string {
  return `blobs/${algorithm}/${hex}`;
}

function groupsOf(
  manifests: readonly unknown[],
  { tags: patterns, isRenamed }: Choice,
): Map<string | undefined, Root[]> {
  const named = new NamedImages<Root>(isRenamed);
  const loose = new Map<string, Root>();
  for (const value of manifests) {
    const [descriptor] = entriesOf([value]);
    if (!descriptor) throw new MoveError('index.json: an entry has no valid digest');
    const { digest, mediaType } = descriptor;
    const name = nameOf(value);
    const { repository, tag } = name ?? {};
    const isLoose = tag === undefined && (repository === undefined || patterns.length > 0);
    if (name === undefined || isLoose) loose.set(digest.toString(), { digest, mediaType });
    else if (patterns.length === 0 || patterns.some((pattern) => matchesPattern(pattern, tag ?? '')))
      named.add(name, { digest, mediaType, tag });
  }
  // What has no name is taken whole if it can only belong to one repository, otherwise with what it refers to.
  const isOptional = patterns.length > 0 || named.groups.size > 1;
  const others = [...loose.values()].map((root) => ({ ...root, isOptional }));
  if (named.groups.size === 0) return new Map(patterns.length > 0 ? [] : [[undefined, others]]);
  return new Map([...named.groups].map(([name, roots]) => [name, [...roots.values(), ...others]]));
}

function nameOf(value: unknown) {
  const annotations = isObject(value) && isObject(value.annotations) ? value.annotations : {};
  const name = annotations[imageName] ?? annotations[refName];
  return typeof name === 'string' && name !== '' ? parseStoredName(name, true) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new MoveError('index.json has no list of manifests');
  if (value.length >= maxEntries) throw new MoveError(`index.json has ${maxEntries} entries or more`);
  return value;
}

/** @throws MoveError */
export function parse(body: Buffer, name: string, wanted: JsonShape): Record<string, unknown> {
  try {
    const document = readJson(body, wanted);
    if (isObject(document)) return document;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new MoveError(`${name}: ${error.message}`);
  }
  throw new MoveError(`${name} is not a JSON object`);
}
