import type { LastOutcome } from '../statistics/last.outcomes.js';

/** Times are ISO 8601 in UTC, durations seconds, sizes bytes. */
export interface Explanation {
  /** In canonical form. */
  readonly reference: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
  /** `refused`: the namespace is not mirrored here, and no request would ever be sent. */
  readonly kind: 'mirrored' | 'hosted' | 'refused';
  /** Whether it needed credentials, or would. */
  readonly isPrivate: boolean;
  /** Whether the upstream has refused access to the repository since something of it was stored. */
  readonly isRefused: boolean;
  readonly last: ExplainedOutcome;
  readonly record?: ExplainedRecord;
  /** How long a tag is served before the upstream is asked again, and which setting says so. */
  readonly rule?: ExplainedRule;
  readonly upstream?: ExplainedUpstream;
  /** A refusal of the upstream that is remembered, so that it is not asked again. */
  readonly refusal?: { readonly reason: string; readonly seconds: number };
  readonly stored: ExplainedContent;
  readonly now: Next;
}

/** How the last pull ended. This process remembers it, within a bound, and not beyond its end. */
export interface ExplainedOutcome {
  readonly outcome: LastOutcome['outcome'] | 'unknown';
  readonly at?: string;
  readonly digest?: string;
  readonly why: string;
  /** Whether rules of the access file refused it to somebody, whom `why` names. */
  readonly isByRules?: boolean;
  readonly before?: Omit<ExplainedOutcome, 'before'>;
}

export interface ExplainedRecord {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** When the tag was first seen at this digest. */
  readonly resolvedAt?: string;
  /** When the upstream last confirmed it; of a hosted tag, when it was pushed. */
  readonly confirmedAt: string;
  readonly age: number;
  readonly freshness: 'fresh' | 'ageing' | 'stale' | 'expired' | 'permanent';
  /** When it is to be confirmed next. */
  readonly freshUntil?: string;
  /** The fallback host that named it. */
  readonly fallback?: string;
  /** Whether credentials were needed. */
  readonly isPrivate: boolean;
}

export interface ExplainedRule {
  /** Seconds, or a word of the setting. */
  readonly lifetime: number | 'immutable' | 'always';
  /** Key of the entry of the upstream file. */
  readonly setting: 'tags' | 'tag_ttl' | 'access_recheck_time';
  /** Of the entry of `tags` that is for this tag. */
  readonly pattern?: string;
  /** Whether that is what applies without a setting. */
  readonly isDefault: boolean;
  readonly staleWhileRevalidate: number;
  readonly maxStale?: number;
}

export interface ExplainedUpstream {
  readonly namespace: string;
  /** Whether the configuration names it. */
  readonly isConfigured: boolean;
  readonly host: string;
  /** How the last request to the host ended, whatever it was for. */
  readonly condition: string;
  readonly reason?: string;
  readonly since?: string;
  readonly circuit: string;
  /** Requests about this repository's manifests that are not sent now. */
  readonly pauses: readonly { readonly method: string; readonly reason: string; readonly seconds?: number }[];
  readonly rateLimit?: { readonly limit: number; readonly remaining: number; readonly window: number };
  readonly isSlow: boolean;
  readonly waiting: number;
  readonly supportsHead?: boolean;
  /** To the last request about this reference, of this process. */
  readonly lastResponse?: {
    readonly method: string;
    readonly host: string;
    readonly status?: number;
    readonly reason?: string;
    readonly at: string;
  };
  readonly credentials?: ExplainedCredentials;
  readonly fallbacks: readonly { readonly host: string; readonly condition: string; readonly isPaused: boolean }[];
}

/** Where the credentials of a request come from; never a secret. */
export interface ExplainedCredentials {
  readonly source: string;
  readonly repositories: readonly string[];
  readonly identities: readonly string[];
  readonly problem?: string;
}

export interface ExplainedContent {
  /** Of what the reference names, as far as that is known. */
  readonly manifest?: { readonly digest: string; readonly state: ContentState; readonly mediaType?: string };
  /** Of an index one each, of an image itself; those beyond a bound are left out. */
  readonly images: readonly ExplainedImage[];
  /** Whether images or blobs were left out. */
  readonly isCut: boolean;
}

/**
 * - stored: here, and known to be of this repository
 * - elsewhere: here for another repository; the upstream has to agree first
 * - missing: not here
 */
export type ContentState = 'stored' | 'elsewhere' | 'missing';

export interface ExplainedImage {
  readonly digest: string;
  readonly platform?: string;
  readonly state: ContentState;
  readonly blobs: number;
  readonly storedBlobs: number;
  readonly bytes: number;
  readonly storedBytes: number;
  /** The first of them. */
  readonly missing: readonly string[];
}

/** What a pull would do now. */
export interface Next {
  /** `ask`: the upstream decides. */
  readonly outcome: 'hit' | 'stale' | 'ask' | 'refused' | 'failed';
  readonly reason: string;
  /** What the upstream would be asked. */
  readonly request?: {
    readonly method: 'GET' | 'HEAD';
    readonly url: string;
    /** Behind the response to the client. */
    readonly inBackground: boolean;
    readonly credentials?: ExplainedCredentials;
  };
}
