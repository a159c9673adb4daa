import type { JsonLogger } from './json.logger.js';

/** What the lines of the same request have in common. */
export interface LineRequest {
  readonly method: string;
  readonly repository: string;
  readonly reference: string;
  /** X-Cache of its response. */
  readonly cache: string | undefined;
}

/** What a line says of one response. */
export interface LineResponse {
  readonly id: string;
  readonly status: number;
  readonly isComplete: boolean;
  readonly bytes: number;
  /** Milliseconds. */
  readonly duration: number;
}

/**
 * Writes the lines of `logRequests` from prepared parts, for responses that are sent again and again. Ids need no escapes,
 * see `requestId`.
 */
export class RequestLines {
  private readonly worker: string;
  private time = '';
  private timeOf = NaN;

  constructor(private readonly logger: JsonLogger) {
    this.worker = logger.worker === undefined ? '' : `,"worker":${logger.worker}`;
  }

  /** @returns what writes a line */
  prepare({ method, repository, reference, cache }: LineRequest): (response: LineResponse) => void {
    const request = JSON.stringify({ method, repository, reference }).slice(1, -1);
    const end = cache === undefined ? '' : `,"cache":${JSON.stringify(cache)}`;
    return ({ id, status, isComplete, bytes, duration }) => {
      const aborted = isComplete ? '' : ',"aborted":true';
      this.logger.destination.write(
        `{"level":30,"time":"${this.now()}"${this.worker},"id":"${id}",${request},"status":${status},` +
          `"bytes":${bytes},"duration":${duration}${end}${aborted},"msg":"request"}\n`,
      );
    };
  }

  private now(): string {
    const now = Date.now();
    if (now !== this.timeOf) this.time = new Date(now).toISOString();
    this.timeOf = now;
    return this.time;
  }
}
