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
  const layers = Array.from({ length: 8 }, (_, index) => blobOf(20_000, `layer ${index}`));
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
