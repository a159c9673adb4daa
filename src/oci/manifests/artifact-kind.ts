import { isIndex, isSchema1 } from '../media-type.js';

/** What a manifest is to people. */
export interface ArtifactKind {
  readonly kind: 'image' | 'index' | 'chart' | 'signature' | 'attestation' | 'sbom' | 'artifact';
  /** In words, as on a page. */
  readonly name: string;
}

/** What tells the kind. */
export interface ArtifactTypes {
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly configType?: string | undefined;
  readonly layerTypes: readonly string[];
}

const image: ArtifactKind = { kind: 'image', name: 'Image' };
const index: ArtifactKind = { kind: 'index', name: 'Image index' };
const attestation: ArtifactKind = { kind: 'attestation', name: 'Attestation' };
const artifact = (name: string): ArtifactKind => ({ kind: 'artifact', name });

const imageConfigs: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);

/** Of a config that says nothing (image specification, "Guidelines for Artifact Usage"). */
const emptyType = 'application/vnd.oci.empty.v1+json';

/** By media type, or by how it begins where it ends with a dot. */
const known: readonly (readonly [string, ArtifactKind])[] = [
  ['application/vnd.cncf.helm.config.v1+json', { kind: 'chart', name: 'Helm chart' }],
  ['application/vnd.dev.cosign.artifact.sig.', { kind: 'signature', name: 'Cosign signature' }],
  ['application/vnd.dev.cosign.simplesigning.', { kind: 'signature', name: 'Cosign signature' }],
  ['application/vnd.dev.sigstore.bundle.', { kind: 'signature', name: 'Sigstore bundle' }],
  ['application/vnd.cncf.notary.signature', { kind: 'signature', name: 'Notation signature' }],
  ['application/vnd.cncf.notary.v2.signature', { kind: 'signature', name: 'Notation signature' }],
  ['application/spdx+json', { kind: 'sbom', name: 'SBOM (SPDX)' }],
  ['text/spdx', { kind: 'sbom', name: 'SBOM (SPDX)' }],
  ['text/spdx+json', { kind: 'sbom', name: 'SBOM (SPDX)' }],
  ['application/vnd.cyclonedx+json', { kind: 'sbom', name: 'SBOM (CycloneDX)' }],
  ['application/vnd.cyclonedx+xml', { kind: 'sbom', name: 'SBOM (CycloneDX)' }],
  ['application/vnd.cyclonedx', { kind: 'sbom', name: 'SBOM (CycloneDX)' }],
  ['application/vnd.syft+json', { kind: 'sbom', name: 'SBOM (Syft)' }],
  ['application/vnd.in-toto+json', attestation],
  ['application/vnd.dsse.envelope.v1+json', attestation],
  ['application/vnd.dev.cosign.artifact.sbom.', { kind: 'sbom', name: 'SBOM' }],
  ['application/vnd.wasm.config.', artifact('WebAssembly component')],
  ['application/vnd.wasm.content.', artifact('WebAssembly module')],
  ['application/vnd.cncf.flux.config.', artifact('Flux artifact')],
  ['application/vnd.buildkit.cacheconfig.', artifact('BuildKit cache')],
  ['application/vnd.docker.plugin.', artifact('Docker plugin')],
  ['application/vnd.docker.ai.model.config.', artifact('AI model')],
  ['application/vnd.cncf.model.config.', artifact('AI model')],
  ['application/vnd.cncf.model.manifest.', artifact('AI model')],
  ['application/vnd.cncf.openpolicyagent.config.', artifact('Open Policy Agent bundle')],
  ['application/vnd.devcontainers', artifact('Dev container feature')],
  ['application/vnd.docker.compose.', artifact('Compose project')],
];

/** The artifact type counts first, then the config, then the layers, as the image specification says. */
export function artifactKind({ mediaType, artifactType, configType, layerTypes }: ArtifactTypes): ArtifactKind {
  if (isIndex(mediaType)) return artifactType === undefined ? index : { ...index, name: `Index: ${artifactType}` };
  if (isSchema1(mediaType)) return { kind: 'image', name: 'Image (schema 1)' };
  const [first] = layerTypes;
  const isOneKind = first !== undefined && layerTypes.every((type) => type === first);
  // Attestations of BuildKit and signatures of Cosign have the config of an image.
  const ofLayers = isOneKind ? find(first) : undefined;
  const found = find(artifactType) ?? find(configType) ?? ofLayers;
  if (found) return found;
  if (artifactType === undefined && configType !== undefined && imageConfigs.has(configType)) return image;
  const other = artifactType ?? (configType === emptyType ? undefined : configType);
  return artifact(other === undefined ? 'Artifact' : `Artifact: ${other}`);
}

/** Undefined for what is not known. */
export function knownKind(type: string | undefined): ArtifactKind | undefined {
  return find(type);
}

function find(type: string | undefined): ArtifactKind | undefined {
  if (type === undefined) return undefined;
  return known.find(([name]) => (name.endsWith('.') ? type.startsWith(name) : type === name))?.[1];
}
