import { blobOf, type Blob } from './bytes.js';
import { realImage, smallImage, type Image } from './image.js';
import { longBlob, type LongBlob } from './long-blob.js';
import { pushBlob, pushLongBlob, pushManifest } from './push.js';

/** Content that lies in the source registry: made and pushed once per run, when the first scenario asks for it. */
export class Library {
  readonly repository = 'bench/app';
  readonly tag = 'latest';
  readonly #blobs = new Map<string, Promise<Blob>>();
  /** Of an image as large as real ones are. */
  readonly realTag = 'real';
  #image: Promise<Image> | undefined;
  #realImage: Promise<Image> | undefined;

  constructor(private readonly source: string) {}

  blob(size: number, seed: string): Promise<Blob> {
    const known = this.#blobs.get(seed);
    if (known !== undefined) return known;
    const pushed = this.#push(blobOf(size, seed));
    this.#blobs.set(seed, pushed);
    return pushed;
  }

  /** Of any size: nothing keeps its bytes here. */
  async longBlob(size: number, seed: string): Promise<LongBlob> {
    const blob = longBlob(size, seed);
    await pushLongBlob(this.source, this.repository, blob);
    return blob;
  }

  image(): Promise<Image> {
    this.#image ??= this.#pushImage(smallImage(), this.tag);
    return this.#image;
  }

  realImage(): Promise<Image> {
    this.#realImage ??= this.#pushImage(realImage(), this.realTag);
    return this.#realImage;
  }

  async #push(blob: Blob): Promise<Blob> {
    await pushBlob(this.source, this.repository, blob);
    return blob;
  }

  async #pushImage(image: Image, tag: string): Promise<Image> {
    for (const blob of image.blobs) await this.#push(blob);
    await pushManifest(this.source, this.repository, tag, image.mediaType, image.manifest);
    return image;
  }
}
