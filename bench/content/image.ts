import { blobOf, digestOf, type Blob } from './bytes.js';

export interface Image {
  readonly manifest: Blob;
  readonly mediaType: string;
  /** The configuration and the layers, which a registry wants before the manifest. */
  readonly blobs: readonly Blob[];
}

export const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json';

/** A small image of eight layers: the manifest is as long as real ones are, about 1.5 kB. */
export function smallImage(): Image {
  return imageOf(Array.from({ length: 8 }, (_, index) => blobOf(20_000, `layer ${index}`)));
}

/** An image of eight layers of 20 kB to 20 MB, 38 MB in all. */
export function realImage(): Image {
  const sizes = [20_000_000, 10_000_000, 5_000_000, 2_000_000, 500_000, 200_000, 50_000, 20_000];
  return imageOf(sizes.map((size, index) => blobOf(size, `real layer ${index}`)));
}

function imageOf(layers: readonly Blob[]): Image {
  const config = configOf(layers);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaType,
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  );
  return {
    manifest: { digest: digestOf(manifest), bytes: manifest },
    mediaType: manifestMediaType,
    blobs: [config, ...layers],
  };
}

function configOf(layers: readonly Blob[]): Blob {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const bytes = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs }));
  return { digest: digestOf(bytes), bytes };
}

function descriptorOf(mediaType: string, { digest, bytes }: Blob): object {
  return { mediaType, digest, size: bytes.length };
}
