import type { IncomingHttpHeaders } from 'node:http';
import type { RequestKind, Route } from './route.js';

export interface RecordedRequest extends Route {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Of a POST. */
  readonly content?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Absent until the answer begins. */
  status?: number;
  /** Bytes of the body given to the socket; a client that left may have received fewer. */
  bodyBytes: number;
}

export interface RequestFilter {
  readonly kind?: RequestKind;
  readonly method?: string;
  readonly repository?: string;
  readonly reference?: string;
  readonly status?: number;
}

/** Everything that reached a fake, in order of arrival. */
export class RequestLog {
  readonly requests: RecordedRequest[] = [];

  record(request: Omit<RecordedRequest, 'at' | 'bodyBytes'>): RecordedRequest {
    const recorded: RecordedRequest = { ...request, at: Date.now(), bodyBytes: 0 };
    this.requests.push(recorded);
    return recorded;
  }

  select(filter: RequestFilter = {}): RecordedRequest[] {
    const wanted = Object.entries(filter) as [keyof RequestFilter, unknown][];
    return this.requests.filter((request) => wanted.every(([key, value]) => request[key] === value));
  }

  reset(): void {
    this.requests.length = 0;
  }
}
