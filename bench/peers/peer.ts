import type { Server } from '../processes/server.js';
import type { BucketAddress } from '../s3/bucket.js';
import type { Scope } from '../scope.js';

export const peerNames = [
  'mirror',
  // With its request log, written to a file.
  'mirror-logging',
  'mirror-workers',
  'docker-registry',
  'docker-registry-proxy',
  'docker-registry-s3',
  'nginx',
  'bare-node',
] as const;
export type PeerName = (typeof peerNames)[number];

export function isPeerName(name: string): name is PeerName {
  return peerNames.some((known) => known === name);
}

/** What a peer is given to start on. */
export interface Ground {
  readonly scope: Scope;
  /** An empty folder of its own. */
  readonly folder: string;
  /** The registry a mirror pulls from. */
  readonly upstream: string;
  /** The storage of the source registry, for a peer that serves it directly. */
  readonly storage: string;
  /** The folder of a mirror's content; an empty one of its own unless given. */
  readonly root?: string | undefined;
  /** Where content is kept instead of in a folder. */
  readonly bucket?: BucketAddress | undefined;
  /** Whether a mirror has a namespace to push to as well. */
  readonly takesPushes: boolean;
  /** The Node binary for the mirror. */
  readonly node: string;
}

/** A server under test. */
export class Peer {
  constructor(
    readonly name: PeerName,
    readonly label: string,
    readonly server: Server,
    /** Stands before every repository name, slash included. */
    private readonly prefix: string,
    /** As `prefix`, for what is pushed. */
    private readonly pushPrefix = prefix,
  ) {}

  blobUrl(repository: string, digest: string): string {
    return `${this.server.origin}/v2/${this.prefix}${repository}/blobs/${digest}`;
  }

  repositoryUrl(repository: string): string {
    return `${this.server.origin}/v2/${this.prefix}${repository}`;
  }

  /** Address of a repository to push to. */
  pushUrl(repository: string): string {
    return `${this.server.origin}/v2/${this.pushPrefix}${repository}`;
  }

  manifestUrl(repository: string, reference: string): string {
    return `${this.server.origin}/v2/${this.prefix}${repository}/manifests/${reference}`;
  }
}
