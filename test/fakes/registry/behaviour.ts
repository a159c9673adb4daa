import type { ServerResponse } from 'node:http';
import type { RecordedRequest } from './request-log.js';
import type { RequestKind } from './route.js';

/** `public`: anyone; `private`: with the right credentials; `denied`: nobody. */
export type Permission = 'public' | 'private' | 'denied';

export interface TokenBehaviour {
  field: 'token' | 'access_token' | 'both';
  /** Seconds, announced as `expires_in`; undefined leaves the field out. */
  expiresIn: number | undefined;
  /** Seconds a token really lives; undefined: as announced, or 60. */
  lifetime: number | undefined;
  /** The realm is on a second port. */
  separatePort: boolean;
  /** Asked for a repository the caller may not read: a token without that right (Docker Hub), or this status (ghcr.io: 401). */
  refusal: 'token' | 401 | 403;
  /** Answers the token request with a redirect there instead. */
  redirectTo: string | undefined;
}

export interface ChallengeBehaviour {
  /** Undefined leaves it out, as gcr.io does. */
  service: string | undefined;
  /** `placeholder` is ghcr.io's `repository:user/image:pull`; a literal such as `aws` is the only scope the realm then knows. */
  scope: 'repository' | 'placeholder' | 'none' | { literal: string };
  /** `joined`: Bearer and Basic in one header, as Forgejo has it; `separate`: one header each. */
  layout: 'bearer' | 'joined' | 'joined-basic-first' | 'separate';
  /** `base`: only `/v2/` carries a challenge; other requests get 401 without one. */
  where: 'everywhere' | 'base';
  /** Added to every challenge. Undefined: only where it is true (`invalid_token`, `insufficient_scope`); false: never. */
  error: 'insufficient_scope' | 'invalid_token' | false | undefined;
  /** Challenges that say `invalid_token` name this realm instead, as nvcr.io does. */
  realmForInvalidToken: string | undefined;
}

export interface CdnBehaviour {
  /** A signed URL works once. */
  once: boolean;
  /** Seconds a signed URL works; undefined: for ever. */
  lifetime: number | undefined;
  /** Authorization beside a signature is 400, as at S3. */
  refuseAuthorization: boolean;
  /** URLs are signed for GET alone; HEAD is 403. */
  getOnly: boolean;
}

export interface TagsBehaviour {
  links: 'relative' | 'absolute';
  /** The most tags in one answer, also when `n` asks for more. */
  pageSize: number | undefined;
  /** A larger `n` is refused. */
  refuseAbove: number | undefined;
  /** Takes n=0 for no limit, as Docker Hub does. */
  zeroIsAll: boolean;
  /** With this status: 405 as at ECR, 413 as at Quay. */
  refusal: number;
}

/** What registries without HEAD respond. */
export type RefusedHead = 400 | 401 | 403 | 404 | 405 | 501;

export interface RateLimit {
  limit: number;
  /** Counts down with every manifest GET; at zero such a GET is 429. */
  remaining: number;
  /** Seconds. */
  window: number;
}

export interface Outage {
  status: number;
  /** Seconds or a date, sent as it is. */
  retryAfter?: string | number;
  /** Undefined: every kind. */
  kinds?: readonly RequestKind[];
  /** Undefined: every method. */
  methods?: readonly string[];
  /** Undefined: until it is taken away. */
  times?: number;
  /** Undefined: the specification's error document. */
  body?: string;
}

/** Everything a test may set before or change while the registry runs. */
export interface Behaviour {
  auth: 'none' | 'basic' | 'bearer';
  username: string;
  password: string;
  /** In place of the user and the password: whether an account may sign in, and read a repository. */
  accepts: ((username: string, password: string, repository: string | undefined) => boolean) | undefined;
  /** Identity tokens that the realm takes by POST, and the account of each. */
  identityTokens: Record<string, string>;
  /** Whether the realm gives tokens to callers without credentials; if so, repositories are public unless `access` differs. */
  anonymous: boolean;
  access: Record<string, Permission>;
  /** The status of a request with good authentication for something it may not read. */
  deniedStatus: 401 | 403;
  token: TokenBehaviour;
  challenge: ChallengeBehaviour;
  /** Content is answered with a redirect to the CDN, the second origin, under a signed URL. */
  redirectBlobs: 301 | 302 | 303 | 307 | 308 | undefined;
  redirectManifests: 301 | 302 | 303 | 307 | 308 | undefined;
  cdn: CdnBehaviour;
  /** The status that HEAD gets instead of an answer. */
  head: { manifests?: RefusedHead; blobs?: RefusedHead };
  omitDigest: boolean;
  /** Bodies are chunked. */
  omitContentLength: boolean;
  omitEtag: boolean;
  /** False: Range is ignored. */
  ranges: boolean;
  /** Content is compressed on the way for clients that say they accept gzip, as some front ends do. */
  gzipWhenAccepted: boolean;
  /** A manifest whose media type is not spelled out in Accept is 404; schema 1 excepted. */
  strictAccept: boolean;
  tags: TagsBehaviour;
  referrers: 'native' | 'missing';
  rateLimit: RateLimit | undefined;
  /** Milliseconds before the status line. */
  delayHeaders: number;
  /** Milliseconds between the headers and the first byte of a body. */
  delayBody: number;
  bytesPerSecond: number | undefined;
  /** The kinds that delays and rate apply to; undefined: all. */
  slowKinds: readonly RequestKind[] | undefined;
  outage: Outage | undefined;
  /** Awaited before anything else happens: hold the request back here, or answer it yourself. */
  before: ((request: RecordedRequest, response: ServerResponse) => void | Promise<void>) | undefined;
}

type Sections = 'token' | 'challenge' | 'cdn' | 'tags';

export type BehaviourOptions = Partial<Omit<Behaviour, Sections>> & { [S in Sections]?: Partial<Behaviour[S]> };

const token: TokenBehaviour = {
  field: 'token',
  expiresIn: 300,
  lifetime: undefined,
  separatePort: false,
  refusal: 'token',
  redirectTo: undefined,
};

const challenge: ChallengeBehaviour = {
  service: 'fake-registry',
  scope: 'repository',
  layout: 'bearer',
  where: 'everywhere',
  error: undefined,
  realmForInvalidToken: undefined,
};

/** A registry without quirks. */
export function makeBehaviour(options: BehaviourOptions = {}): Behaviour {
  return {
    auth: 'none',
    username: 'user',
    password: 'planted-password',
    accepts: undefined,
    identityTokens: {},
    anonymous: true,
    access: {},
    deniedStatus: 401,
    redirectBlobs: undefined,
    redirectManifests: undefined,
    head: {},
    omitDigest: false,
    omitContentLength: false,
    omitEtag: false,
    ranges: true,
    gzipWhenAccepted: false,
    strictAccept: true,
    referrers: 'native',
    rateLimit: undefined,
    delayHeaders: 0,
    delayBody: 0,
    bytesPerSecond: undefined,
    slowKinds: undefined,
    outage: undefined,
    before: undefined,
    ...options,
    token: { ...token, ...options.token },
    challenge: { ...challenge, ...options.challenge },
    cdn: { once: false, lifetime: undefined, refuseAuthorization: true, getOnly: false, ...options.cdn },
    tags: {
      links: 'relative',
      pageSize: undefined,
      refuseAbove: undefined,
      zeroIsAll: false,
      refusal: 405,
      ...options.tags,
    },
  };
}
