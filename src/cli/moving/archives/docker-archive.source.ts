import { createGunzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Digest } from '../../../oci/digest.js';
import { JsonError, readJson, type JsonShape } from '../../../oci/json/json.js';
import { isObject, maxManifestBytes } from '../../../oci/manifest.js';
import { manifestMediaTypes } from '../../../oci/media-type.js';
import { matchesPattern } from '../../../oci/patterns/pattern.js';
import type { Choice, Collection, Root, Source } from '../content.js';
import type { RawManifest } from '../documents.js';
import { MoveError } from '../move-error.js';
import { readFileOf, type Files } from './files.js';
import { isGzip } from './gunzip.js';
import { NamedImages, parseStoredName } from './names.js';

const maxImages = 10_000;
const maxLayers = 10_000;
const names: JsonShape = { items: 'value', max: maxLayers };
const shape: JsonShape = {
  items: { fields: { Config: 'value', RepoTags: names, Layers: names } },
  max: maxImages,
};

/** An image whose manifest is made here. */
interface SavedImage extends Root {
  readonly body: Buffer;
  /** Files of the archive. */
  readonly blobs: ReadonlyMap<string, string>;
}

/**
 * What `docker save` wrote before version 25: `manifest.json`, configurations and layers as plain archives. The manifest is
 * made of them, always the same one; layers stay uncompressed, because their digests are those in the configuration.
 */
export class DockerArchiveSource implements Source {
  private constructor(
    private readonly files: Files,
    private readonly groups: ReadonlyMap<string | undefined, readonly SavedImage[]>,
  ) {}

  /** @throws MoveError */
  static async open(files: Files, { tags: patterns, isRenamed }: Choice): Promise<DockerArchiveSource> {
    const named = new NamedImages<SavedImage>(isRenamed);
    const loose: SavedImage[] = [];
    for (const saved of listOf(await readFileOf(files, 'manifest.json', maxManifestBytes))) {
      const all = textsOf(saved.RepoTags).map((name) => parseStoredName(name, false));
      const chosen = all.filter(
        ({ tag = '' }) => patterns.length === 0 || patterns.some((p) => matchesPattern(p, tag)),
      );
      if (chosen.length === 0 && (all.length > 0 || patterns.length > 0)) continue;
      const image = await imageOf(files, saved);
      if (chosen.length === 0) loose.push(image);
      for (const name of chosen) named.add(name, { ...image, tag: name.tag });
    }
    const groups = new Map<string | undefined, SavedImage[]>();
    for (const [name, images] of named.groups) groups.set(name, [...images.values()]);
    if (loose.length > 0) groups.set(undefined, [...(groups.get(undefined) ?? []), ...loose]);
    return new DockerArchiveSource(files, groups);
  }

  *collections(): Iterable<Collection> {
    for (const [name, images] of this.groups) yield new SavedImages(this.files, name, images);
  }

  close(): Promise<void> {
    return this.files.close();
  }
}

class SavedImages implements Collection {
  private readonly blobs: ReadonlyMap<string, string>;

  constructor(
    private readonly files: Files,
    readonly name: string | undefined,
    private readonly images: readonly SavedImage[],
  ) {
    this.blobs = new Map(images.flatMap((image) => [...image.blobs]));
  }

  roots(): Iterable<Root> {
    return this.images;
  }

  manifest({ digest }: Pick<Root, 'digest'>): Promise<RawManifest> {
    const image = this.images.find((each) => each.digest.equals(digest));
    if (!image) return Promise.reject(new MoveError(`manifest ${digest.toString()} is missing`));
    return Promise.resolve({ body: image.body, mediaType: manifestMediaTypes.ociManifest });
  }

  async sizeOf({ digest }: { readonly digest: Digest }): Promise<number | undefined> {
    const name = this.blobs.get(digest.toString());
    return name === undefined ? undefined : this.files.sizeOf(name);
  }

  blob(digest: Digest, offset: number): AsyncIterable<Uint8Array> {
    return this.files.read(this.blobs.get(digest.toString()) ?? '', offset);
  }
}

async function imageOf(
  files: Files,
  { Config: configName, Layers: layers }: Record<string, unknown>,
): Promise<SavedImage> {
  if (typeof configName !== 'string') throw new MoveError('manifest.json: an image has no Config');
  const config = await readFileOf(files, plain(configName), maxManifestBytes);
  const layerNames = textsOf(layers).map(plain);
  const diffIds = diffIdsOf(config, configName);
  if (diffIds.length !== layerNames.length)
    throw new MoveError(`${configName} has ${diffIds.length} diff_ids, and manifest.json ${layerNames.length} layers`);
  const blobs = new Map([[Digest.of(config).toString(), plain(configName)]]);
  const described: object[] = [];
  for (const [position, name] of layerNames.entries()) {
    const size = await files.sizeOf(name);
    if (size === undefined) throw new MoveError(`layer ${name} is missing in the archive`);
    const diffId = Digest.parse(diffIds[position] ?? '');
    const isCompressed = await startsWithGzip(files, name, size);
    const digest = isCompressed ? await compressedDigest(files, name, diffId) : diffId;
    blobs.set(digest.toString(), name);
    described.push({ mediaType: `${layerType}${isCompressed ? '+gzip' : ''}`, digest, size });
  }
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaTypes.ociManifest,
      config: { mediaType: configType, digest: Digest.of(config), size: config.length },
      layers: described,
    }),
  );
  return { digest: Digest.of(body), body, blobs };
}

const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar';

/** A name of the archive, as its entries are named. */
function plain(name: string): string {
  return name.replace(/^(?:\.\/)+/, '');
}

async function startsWithGzip(files: Files, name: string, size: number): Promise<boolean> {
  if (size < 2) return false;
  for await (const chunk of files.read(name)) return isGzip(chunk);
  return false;
}

/** The digest of a compressed layer, whose content must be what the configuration says. @throws MoveError */
async function compressedDigest(files: Files, name: string, diffId: Digest): Promise<Digest> {
  const own = Digest.of(Buffer.alloc(0)).hasher();
  const content = diffId.hasher();
  const hashed = async function* () {
    for await (const chunk of files.read(name)) {
      own.update(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(
      Readable.from(hashed(), { objectMode: false }),
      createGunzip(),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) content.update(chunk);
      },
    );
  } catch (error) {
    if (error instanceof MoveError) throw error;
    throw new MoveError(`layer ${name} is damaged: gzip cannot read it`);
  }
  if (!diffId.matches(content))
    throw new MoveError(`layer ${name} has other content than its diff_id ${diffId.toString()}`);
  return Digest.parse(`sha256:${own.digest('hex')}`);
}

function diffIdsOf(config: Buffer, name: string): string[] {
  const document = json(config, name, { fields: { rootfs: { fields: { diff_ids: names } } } });
  const list = isObject(document) && isObject(document.rootfs) ? textsOf(document.rootfs.diff_ids) : [];
  const wrong = list.find((text) => !Digest.find(text));
  if (wrong !== undefined) throw new MoveError(`${name} has a diff_id that is no digest`);
  return list;
}

function listOf(body: Buffer): Record<string, unknown>[] {
  const list = json(body, 'manifest.json', shape);
  if (!Array.isArray(list)) throw new MoveError('manifest.json is not a list of images');
  if (list.length >= maxImages) throw new MoveError(`manifest.json has ${maxImages} images or more`);
  return list.filter(isObject);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}

function json(body: Buffer, name: string, wanted: JsonShape): unknown {
  try {
    return readJson(body, wanted);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new MoveError(`${name}: ${error.message}`);
  }
}
