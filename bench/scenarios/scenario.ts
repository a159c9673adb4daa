import type { Library } from '../content/library.js';
import type { NamedScenario } from '../options.js';
import type { Peer, PeerName } from '../peers/peer.js';
import type { Scope } from '../scope.js';

export interface Scenario extends NamedScenario {
  /** The peers that can take part. */
  readonly peers: readonly PeerName[];
  readonly metrics: readonly Metric[];
  /** Lays out what the peers pull. */
  open(setting: Setting): Promise<Stage>;
}

export interface Setting {
  readonly scope: Scope;
  /** The address of the source registry, which holds the library. */
  readonly source: string;
  readonly library: Library;
  readonly seconds: number;
}

export interface Stage {
  /** The registry the mirrors among the peers pull from. */
  readonly upstream: string;
  /** One pull that fills a mirror before anything is measured. */
  warm?(peer: Peer): Promise<Sample>;
  measure(peer: Peer, scope: Scope): Promise<Sample>;
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
  /** What the mirror must reach. */
  readonly bound?: Bound;
}

export interface Bound {
  readonly limit: number;
  /** Whether the median of the rounds must reach it, or the worst of them. */
  readonly over: 'median' | 'worst';
}
