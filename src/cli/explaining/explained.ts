/** What the command reads of the response of `GET /_admin/explain`. */
export interface Explained {
  readonly reference: string;
  readonly kind: string;
  readonly last: Outcome & { readonly before?: Outcome };
  readonly record?: {
    readonly digest: string;
    readonly mediaType: string;
    readonly size: number;
    readonly resolvedAt?: string;
    readonly confirmedAt: string;
    readonly age: number;
    readonly freshness: string;
    readonly freshUntil?: string;
    readonly fallback?: string;
  };
  readonly rule?: {
    readonly lifetime: number | string;
    readonly setting: string;
    readonly pattern?: string;
    readonly isDefault: boolean;
    readonly staleWhileRevalidate: number;
    readonly maxStale?: number;
  };
  readonly upstream?: Upstream;
  readonly refusal?: { readonly reason: string; readonly seconds: number };
  readonly stored: {
    readonly manifest?: { readonly digest: string; readonly state: string };
    readonly images: readonly Image[];
    readonly isCut: boolean;
  };
  readonly now: {
    readonly outcome: string;
    readonly reason: string;
    readonly request?: {
      readonly method: string;
      readonly url: string;
      readonly inBackground: boolean;
      readonly credentials?: Credentials;
    };
  };
  readonly access: Access;
}

export interface Outcome {
  readonly outcome: string;
  readonly at?: string;
  readonly why: string;
}

export interface Upstream {
  readonly host: string;
  readonly condition: string;
  readonly reason?: string;
  readonly since?: string;
  readonly pauses: readonly { readonly method: string; readonly reason: string; readonly seconds?: number }[];
  readonly rateLimit?: { readonly limit: number; readonly remaining: number; readonly window: number };
  readonly isSlow: boolean;
  readonly lastResponse?: {
    readonly method: string;
    readonly host: string;
    readonly status?: number;
    readonly reason?: string;
    readonly at: string;
  };
  readonly fallbacks: readonly { readonly host: string; readonly condition: string }[];
}

export interface Credentials {
  readonly source: string;
  readonly identities: readonly string[];
  readonly problem?: string;
}

export interface Image {
  readonly digest: string;
  readonly platform?: string;
  readonly state: string;
  readonly blobs: number;
  readonly storedBlobs: number;
  readonly bytes: number;
  readonly storedBytes: number;
  readonly missing: readonly string[];
}

export interface Access {
  readonly isEnabled: boolean;
  readonly rules: readonly { readonly rule: number; readonly who: readonly string[]; readonly filling?: string }[];
  readonly decision?: { readonly as: string; readonly isAllowed: boolean; readonly rule?: number };
}
