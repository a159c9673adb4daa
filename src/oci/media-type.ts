/** Media types of manifests, in the order of the Accept header sent to upstreams. */
export const manifestMediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  orasArtifact: 'application/vnd.cncf.oras.artifact.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
} as const;

const all: ReadonlySet<string> = new Set(Object.values(manifestMediaTypes));

/** Always has every type: some registries (ghcr.io, ACR) respond with 404 when the type of an index is missing. */
export const acceptManifests = `${Object.values(manifestMediaTypes).join(', ')}, */*;q=0.1`;

export const blobMediaType = 'application/octet-stream';

export function isManifestMediaType(mediaType: string): boolean {
  return all.has(mediaType);
}

/** Whether a manifest may be served and recorded with the type: one of its own kind, or another type of JSON. */
export function mayLabelManifest(mediaType: string): boolean {
  return (
    isManifestMediaType(mediaType) ||
    (parseMediaType(mediaType) === mediaType && /^application\/.*json$/.test(mediaType))
  );
}

export function isIndex(mediaType: string): boolean {
  return mediaType === manifestMediaTypes.ociIndex || mediaType === manifestMediaTypes.dockerList;
}

export function isSchema1(mediaType: string): boolean {
  return mediaType === manifestMediaTypes.dockerSchema1Signed || mediaType === manifestMediaTypes.dockerSchema1;
}

/** Type and subtype in lower case, without parameters (RFC 9110 §8.3.1); undefined when malformed. */
export function parseMediaType(header: string | undefined): string | undefined {
  const essence = header?.slice(0, 256).split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(essence) ? essence : undefined;
}
