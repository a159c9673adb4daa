import type { Library } from '../content/library.js';
import type { NamedScenario } from '../options.js';
import type { Peer, PeerName } from '../peers/peer.js';
import type { S3Server } from '../s3/s3.server.js';
import type { Scope } from '../scope.js';

export interface Scenario extends NamedScenario {
  /** The peers that can take part. */
  readonly peers: readonly PeerName[];
  readonly metrics: readonly Metric[];
  /** Whether the peers start anew for each round, because it is their start that is measured. */
  readonly startsAnew?: boolean;
  /** Lays out what the peers pull. */
  open(setting: Setting): Promise<Stage>;
}

export interface Setting {
  readonly scope: Scope;
  /** The address of the source registry, which holds the library. */
  readonly source: string;
  readonly library: Library;
  readonly seconds: number;
  /** A folder that goes with the benchmark. */
  readonly folder: string;
  /** What sizes and lengths of time that are not options are divided by, for a try-out; 1 for a measurement. */
  readonly shrink: number;
}

export interface Stage {
  /** The registry the mirrors among the peers pull from. */
  readonly upstream: string;
  /** Has a bucket for each peer that can keep content in one. */
  readonly s3?: S3Server;
  /** Where content lies already that the peers are to serve, for those that do not begin with what the run has. */
  readonly laidOut?: LaidOut;
  /** Whether clients push: each peer then begins with an empty storage of its own. */
  readonly takesPushes?: boolean;
  /** One pull that fills a mirror before anything is measured. */
  warm?(peer: Peer): Promise<Sample>;
  measure(peer: Peer, scope: Scope): Promise<Sample>;
}

/** The same content in two folders. */
export interface LaidOut {
  /** As the mirror lays it out. */
  readonly mirror: string;
  /** As docker-registry does. */
  readonly registry: string;
}

/** One run of one peer: a value for each metric, and what went wrong. */
export interface Sample {
  readonly values: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly better: 'more' | 'less';
  /** Whether it can be about zero, so that dividing one by the other says nothing. */
  readonly isDifference?: boolean;
  /** What the mirror must reach. */
  readonly bound?: Bound;
}

export interface Bound {
  readonly limit: number;
  /** Whether the median of the rounds must reach it, or the worst of them. */
  readonly over: 'median' | 'worst';
}
