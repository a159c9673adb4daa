import { manifestMediaTypes } from '../../../oci/media-type.js';
import type { Blob, Target } from '../content.js';
import type { Document } from '../documents.js';
import { verified } from '../verified.js';
import { fileOf, refName } from './layout.source.js';
import type { LayoutWriter } from './writers.js';

/** An image layout that is written from nothing. */
export class LayoutTarget implements Target {
  private readonly entries = new Map<string, object>();

  constructor(
    private readonly writer: LayoutWriter,
    readonly name: string,
  ) {}

  resolve(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  hasManifest(): Promise<boolean> {
    return Promise.resolve(false);
  }

  hasBlob(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async putBlob({ digest, size, open }: Blob): Promise<void> {
    await this.writer.add(fileOf(digest), size, verified(open(0), digest, size));
  }

  async putManifest({ digest, body }: Document): Promise<void> {
    await this.write(fileOf(digest), body);
  }

  /** What has no tag is listed too: it would not be found otherwise. */
  putTag(tag: string | undefined, document: Document): Promise<void> {
    const { digest, mediaType, body, artifactType, subject } = document;
    const descriptor = { mediaType, digest, size: body.length };
    const type = subject && artifactType !== undefined ? { artifactType } : {};
    const key = tag === undefined ? `@${digest.toString()}` : `:${tag}`;
    this.entries.set(key, { ...descriptor, ...type, ...(tag !== undefined && { annotations: { [refName]: tag } }) });
    return Promise.resolve();
  }

  /** Writes what makes the folder a layout. */
  async finish(): Promise<void> {
    const index = { schemaVersion: 2, mediaType: manifestMediaTypes.ociIndex, manifests: [...this.entries.values()] };
    await this.write('oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
    await this.write('index.json', Buffer.from(JSON.stringify(index)));
  }

  private write(name: string, body: Buffer): Promise<void> {
    return this.writer.add(name, body.length, chunks(body));
  }
}

async function* chunks(body: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(body);
}
