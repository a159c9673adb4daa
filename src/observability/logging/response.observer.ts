import type { IncomingMessage } from 'node:http';
import type { JsonLogger } from './json.logger.js';
import { isComplete } from './complete.response.js';
import { requestId } from './request.id.js';
import { RequestLines, type LineRequest, type LineResponse } from './request.lines.js';
import type { ClosedResponse, RequestMeter, RequestSeries } from './request.meter.js';

/** A response that is sent again and again. */
interface RepeatedResponse extends Omit<LineRequest, 'cache'> {
  /** Of the request, as `foldTarget` made it. */
  readonly target: string;
  readonly cache: string | undefined;
}

/** One time that it was sent. */
type Sent = ClosedResponse & Pick<LineResponse, 'id' | 'bytes'>;

interface Prepared {
  readonly series: RequestSeries;
  readonly write: ((response: LineResponse) => void) | undefined;
}

/** Counts and logs responses that are sent without the framework, as `RequestMeter.watch` and `logRequests` do for others. */
export class ResponseObserver {
  private readonly prepared = new WeakMap<RepeatedResponse, Prepared>();
  private readonly lines: RequestLines | undefined;

  constructor(
    private readonly meter: RequestMeter,
    logger: JsonLogger,
  ) {
    this.lines = logger.pino.isLevelEnabled('info') ? new RequestLines(logger) : undefined;
  }

  idOf(request: IncomingMessage): string {
    return requestId(request);
  }

  begin(): void {
    this.meter.begin();
  }

  end(repeated: RepeatedResponse, sent: Sent): void {
    const { id, response, socket, bytes, start } = sent;
    const { series, write } = this.preparedOf(repeated);
    this.meter.end(series, sent);
    if (!write) return;
    const { statusCode: status } = response;
    write({
      id,
      status,
      isComplete: isComplete(response, socket),
      bytes,
      duration: Math.round(performance.now() - start),
    });
  }

  private preparedOf(repeated: RepeatedResponse): Prepared {
    let prepared = this.prepared.get(repeated);
    if (!prepared) {
      const series = this.meter.seriesOf(repeated.method, repeated.target);
      prepared = { series, write: this.lines?.prepare(repeated) };
      this.prepared.set(repeated, prepared);
    }
    return prepared;
  }
}
