import type { MirrorAddress, ServerAddress } from '../observability/clients/mirror-address.js';
import type { Formats } from './format/formats.js';
import type { Visitor } from './visitor.js';

/** What a page knows of the request for it. Made once per request, by `PageServer`. */
export interface PageContext {
  readonly visitor: Visitor;
  /** Parameters of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Path and query, for the way back after signing in. */
  readonly target: string;
  /** `Host` of the request. */
  readonly host: string | undefined;
  /** The address at which the visitor reached this server, with the registries that he may know; undefined if no configuration can contain it. */
  readonly mirror: MirrorAddress | undefined;
  /** As `mirror`, whichever registries he may know. */
  readonly server: ServerAddress | undefined;
  /** Numbers and dates in the language of the browser. */
  readonly formats: Formats;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** For the field `csrf` of a form; asking for it sets a cookie. */
  readonly csrf: () => string;
  /** Of the client. */
  readonly address: string;
  /** Of the request, as in the log. */
  readonly requestId: string;
}
