import { blobOf, type Blob } from './bytes.js';
import { smallImage, type Image } from './image.js';
import { pushBlob, pushManifest } from './push.js';

/** Content that lies in the source registry: made and pushed once per run, when the first scenario asks for it. */
export class Library {
  readonly repository = 'bench/app';
  readonly tag = 'latest';
  readonly #blobs = new Map<string, Promise<Blob>>();
  #image: Promise<Image> | undefined;

  constructor(private readonly source: string) {}

  blob(size: number, seed: string): Promise<Blob> {
    const known = this.#blobs.get(seed);
    if (known !== undefined) return known;
    const pushed = this.#push(blobOf(size, seed));
    this.#blobs.set(seed, pushed);
    return pushed;
  }

  image(): Promise<Image> {
    this.#image ??= this.#pushImage();
    return this.#image;
  }

  async #push(blob: Blob): Promise<Blob> {
    await pushBlob(this.source, this.repository, blob);
    return blob;
  }

  async #pushImage(): Promise<Image> {
    const image = smallImage();
    for (const blob of image.blobs) await this.#push(blob);
    await pushManifest(this.source, this.repository, this.tag, image.mediaType, image.manifest);
    return image;
  }
}
