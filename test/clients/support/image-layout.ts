import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Entry, tar } from './tar.js';

export interface Platform {
  readonly architecture: string;
  readonly manifest: string;
  readonly blobs: readonly string[];
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export type Layer = Omit<Descriptor, 'mediaType'> & {
  readonly diffId: string;
  /** Unless it is the dialect's. */
  readonly mediaType?: string;
};

/** The media types that tell an OCI image from a Docker schema 2 image. */
export interface Dialect {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

export const OCI: Dialect = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER: Dialect = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};

/** An OCI image layout in the making. */
export class ImageLayout {
  private readonly tagged: (Descriptor & { annotations: Record<string, string> })[] = [];

  /** Every image in the layout runs this command. */
  constructor(
    private readonly path: string,
    private readonly command: string[],
  ) {}

  /** Writes a layer; level 0 frames it as gzip without spending time on content that does not compress. */
  async layer(entries: Entry[], { level = 6 } = {}): Promise<Layer> {
    await mkdir(this.blob(''), { recursive: true });
    const [plain, packed] = [new Sum(), new Sum()];
    const unnamed = join(this.path, 'layer');
    await pipeline(tar(entries), plain.tap, createGzip({ level }), packed.tap, createWriteStream(unnamed));
    await rename(unnamed, this.blob(packed.digest));
    return { digest: packed.digest, size: packed.size, diffId: plain.digest };
  }

  /** Writes a layer without files, as large as wanted, into a file without blocks. */
  async sparseLayer(size: number): Promise<Layer> {
    await mkdir(this.blob(''), { recursive: true });
    const hash = createHash('sha256');
    const zeros = Buffer.alloc(1 << 20);
    for (let left = size; left > 0; left -= zeros.length) hash.update(zeros.subarray(0, left));
    const digest = `sha256:${hash.digest('hex')}`;
    await writeFile(this.blob(digest), '');
    await truncate(this.blob(digest), size);
    return { digest, size, diffId: digest, mediaType: 'application/vnd.oci.image.layer.v1.tar' };
  }

  async image(dialect: Dialect, architecture: string, layers: Layer[]): Promise<Descriptor & Platform> {
    const config = await this.json(dialect.config, {
      ...{ created: '2024-01-01T00:00:00Z', architecture, os: 'linux' },
      config: { Env: ['PATH=/bin'], Cmd: this.command },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'test' })),
    });
    const descriptors = layers.map(({ mediaType = dialect.layer, digest, size }) => ({
      ...{ mediaType, digest, size },
    }));
    const manifest = { schemaVersion: 2, mediaType: dialect.manifest, config, layers: descriptors };
    const descriptor = await this.json(dialect.manifest, manifest);
    const blobs = [config, ...layers].map(({ digest }) => digest);
    return { ...descriptor, architecture, manifest: descriptor.digest, blobs };
  }

  async index(images: (Descriptor & Platform)[]): Promise<Descriptor> {
    const manifests = images.map(({ mediaType, digest, size, architecture }) => ({
      ...{ mediaType, digest, size },
      platform: { architecture, os: 'linux' },
    }));
    return this.json(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }

  async ociSource(name: string, { mediaType, digest, size }: Descriptor): Promise<string> {
    this.tagged.push({ mediaType, digest, size, annotations: { 'org.opencontainers.image.ref.name': name } });
    await writeFile(join(this.path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await writeFile(join(this.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: this.tagged }));
    return `oci:${this.path}:${name}`;
  }

  /** The same content as skopeo's plain folder, the only one of its local forms that keeps schema 2 as it is. */
  async folderSource(path: string, image: Platform): Promise<string> {
    await mkdir(path);
    await copyFile(this.blob(image.manifest), join(path, 'manifest.json'));
    await writeFile(join(path, 'version'), 'Directory Transport Version: 1.1\n');
    for (const digest of image.blobs) await copyFile(this.blob(digest), join(path, hex(digest)));
    return `dir:${path}`;
  }

  private async json(mediaType: string, value: object): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = sha256(bytes);
    await writeFile(this.blob(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  private blob(digest: string): string {
    return join(this.path, 'blobs/sha256', hex(digest));
  }
}

/** Digest and size of what streams by. */
class Sum {
  size = 0;
  private readonly hash = createHash('sha256');

  readonly tap = async function* (this: Sum, source: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.size += chunk.length;
      this.hash.update(chunk);
      yield chunk;
    }
  }.bind(this);

  private known: string | undefined;
  get digest(): string {
    return (this.known ??= `sha256:${this.hash.digest('hex')}`);
  }
}

export const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const hex = (digest: string): string => digest.slice('sha256:'.length);
