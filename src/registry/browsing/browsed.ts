import type { Digest } from '../../oci/digest.js';
import type { ArtifactKind } from '../../oci/manifests/artifact-kind.js';
import type { ShownChart, ShownConfig } from '../../oci/manifests/image-config.js';
import type { ShownDescriptor, ShownManifest } from '../../oci/manifests/shown-manifest.js';
import type { Signer } from '../../oci/signatures/signer.js';
import type { StoredRepository } from './listing/repository.walk.js';

/** @see StoredRepository; tags are not counted where some of them may never have been pushed. */
export interface RepositoryRow extends Pick<StoredRepository, 'repository' | 'usedAt'> {
  readonly tags: number | undefined;
  readonly isHosted: boolean;
}

/** What the pages show of what is stored. Sizes are bytes, times milliseconds since 1970. */
export interface RepositoriesPage {
  readonly repositories: readonly RepositoryRow[];
  /** Where the next page starts, behind this name. */
  readonly next: string | undefined;
  /** Of the repositories that the viewer may know of. */
  readonly namespaces: readonly string[];
  /** False when there may be more than could be listed, or looked through in time. */
  readonly isWhole: boolean;
}

export type TagSort = 'name' | 'time';

/** A mirrored tag as it is now, and when the upstream will be asked again; what is hosted is as it was pushed. */
export interface TagFreshness {
  readonly state: 'fresh' | 'ageing' | 'stale' | 'expired';
  /** When a pull asks the upstream again at the latest; undefined when the next pull does. */
  readonly nextCheck: number | undefined;
}

export interface TagRow {
  readonly name: string;
  readonly digest: Digest;
  /** When it was last pushed, or confirmed by the upstream. */
  readonly at: number;
  /** When it was last pulled, to within an hour; for what is hosted, pulled or pushed. */
  readonly usedAt: number | undefined;
  /** Undefined for what is hosted. */
  readonly freshness: TagFreshness | undefined;
  /** Undefined when the manifest is not stored, or cannot be read. */
  readonly content: TagContent | undefined;
}

export interface TagContent {
  readonly kind: ArtifactKind;
  /** Of config and layers; undefined for an index of which nothing is stored. */
  readonly size: number | undefined;
  /** Whose size it is, of several. */
  readonly sizeOf: string | undefined;
  /** `linux/arm64`, a few at most. */
  readonly platforms: readonly string[];
}

export interface TagsPage {
  readonly isHosted: boolean;
  readonly tags: readonly TagRow[];
  /** Some manifests, of a repository without tags. */
  readonly untagged: readonly Digest[];
  readonly next: string | undefined;
  readonly isWhole: boolean;
}

/** A manifest of an index. */
export interface PlatformEntry {
  readonly digest: Digest;
  readonly platform: string;
  readonly kind: ArtifactKind | undefined;
  /** Bytes of config and layers, where the manifest is stored. */
  readonly size: number | undefined;
  readonly isStored: boolean;
  /** What an attestation is about. */
  readonly of: string | undefined;
}

/** A layer, with the step of the build that made it. */
export interface LayerRow {
  readonly layer: ShownDescriptor | undefined;
  readonly command: string | undefined;
  readonly created: string | undefined;
}

/** Something that refers to an image. */
export interface ReferrerRow {
  /** The reference at which it is shown. */
  readonly reference: string;
  readonly kind: ArtifactKind;
  readonly size: number | undefined;
  readonly created: string | undefined;
  /** What statements in it are about. */
  readonly predicates: readonly string[];
  /** Who says to have signed. Not verified. */
  readonly signers: readonly Signer[];
  readonly isStored: boolean;
}

export interface ImageView {
  readonly isHosted: boolean;
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly at: number | undefined;
  readonly usedAt: number | undefined;
  readonly freshness: TagFreshness | undefined;
  /** Undefined when it is not stored, too large or damaged. */
  readonly manifest: ShownManifest | undefined;
  readonly problem: 'not stored' | 'too large' | 'unreadable' | undefined;
  readonly platforms: readonly PlatformEntry[];
  readonly layers: readonly LayerRow[];
  readonly config: ShownConfig | undefined;
  readonly chart: ShownChart | undefined;
  readonly referrers: readonly ReferrerRow[];
  readonly moreReferrers: boolean;
}

/** A manifest as it is stored. */
export interface RawManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly body: Buffer;
}
