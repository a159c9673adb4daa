import type { Digest } from '../../oci/digest.js';
import type { Document, Entry, RawManifest } from './documents.js';

/** A manifest to move, and the tag that names it. */
export interface Root {
  readonly digest: Digest;
  /** As an index says, for documents that do not say it themselves. */
  readonly mediaType?: string | undefined;
  readonly tag?: string | undefined;
  /** Only taken if the manifest that it refers to is. */
  readonly isOptional?: boolean;
}

/** A tag that leads nowhere. */
export interface BrokenRoot {
  readonly tag: string;
  readonly reason: string;
}

export function isBroken(root: Root | BrokenRoot): root is BrokenRoot {
  return 'reason' in root;
}

/** A repository of a source. */
export interface Collection {
  /** Its name in the source, without a registry; undefined where the source has none. */
  readonly name: string | undefined;
  /** Tagged manifests, and those that nothing tags. @throws MoveError */
  roots(): AsyncIterable<Root | BrokenRoot> | Iterable<Root | BrokenRoot>;
  /** Not verified. @throws MoveError */
  manifest(root: Pick<Root, 'digest' | 'mediaType'>): Promise<RawManifest>;
  /** Bytes of a blob; undefined when the source does not have it. */
  sizeOf(entry: Pick<Entry, 'digest' | 'size'>): Promise<number | undefined>;
  /** Not verified. @param offset of the first byte. @throws MoveError */
  blob(digest: Digest, offset: number): AsyncIterable<Uint8Array>;
  /** What refers to a manifest, unless that is among the roots. */
  referrers?(digest: Digest): Promise<readonly Root[]>;
  /** The repository as the server names it, where the source is the server itself. */
  readonly mountFrom?: string;
}

/** What of a source is taken. */
export interface Choice {
  /** Patterns of repositories; all without any. */
  readonly repositories: readonly string[];
  /** Patterns of tags; all without any. */
  readonly tags: readonly string[];
  /** Whether the destination has a tag, which replaces that of the source. */
  readonly isRenamed: boolean;
}

/** Where content comes from. */
export interface Source {
  collections(): AsyncIterable<Collection> | Iterable<Collection>;
  close(): Promise<void>;
}

/** A blob to write. */
export interface Blob {
  readonly digest: Digest;
  readonly size: number;
  readonly mountFrom: string | undefined;
  /** Not verified. */
  readonly open: (offset: number) => AsyncIterable<Uint8Array>;
}

/** Where the content of one collection goes. */
export interface Target {
  /** As messages call it. */
  readonly name: string;
  /** The digest that a tag has; undefined when it does not exist. */
  resolve(tag: string): Promise<Digest | undefined>;
  /** Whether a manifest is there, with all it names. */
  hasManifest(digest: Digest): Promise<boolean>;
  hasBlob(digest: Digest): Promise<boolean>;
  /** Verifies and writes it. @throws MoveError */
  putBlob(blob: Blob): Promise<void>;
  putManifest(document: Document): Promise<void>;
  /** Names a manifest that is there. @param tag undefined for one that stays without. */
  putTag(tag: string | undefined, document: Document): Promise<void>;
}
