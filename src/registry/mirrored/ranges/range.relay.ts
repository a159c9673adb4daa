import type { ByteRange } from '../../../oci/byte-range.js';
import type { Digest } from '../../../oci/digest.js';
import type { ChunkSink } from '../../../storage/storage.provider.js';
import type { RangeBody } from '../../../upstream/transport/blob.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import type { OpenBlob } from '../../blob.js';
import { receive } from '../downloads/receive.js';

/** Requests for the rest after cuts. */
const maxResumes = 3;

/** Opens what is left of the range; undefined when the registry sends something else. */
export type RestSource = (range: string, entityTag: string | undefined) => Promise<RangeBody | undefined>;

/** One range of a blob that is passed from the upstream to one client, neither stored nor verified. */
export class RangeRelay implements OpenBlob {
  readonly cache = 'MISS';
  readonly size: number;
  readonly part: ByteRange;
  private isClosed = false;

  /** @param release called once, when the upstream's connection is no longer used */
  constructor(
    readonly digest: Digest,
    private body: RangeBody,
    private readonly rest: RestSource,
    private readonly release: () => void,
  ) {
    this.size = body.size;
    this.part = body.part;
  }

  /** Sends the part, whatever range is asked for. */
  readonly copy = async (_: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void> => {
    const stop = () => this.body.body.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      let sent = 0;
      for (let resumes = 0; ; resumes += 1) {
        sent += await this.send(sink, sent);
        signal?.throwIfAborted();
        if (sent === this.part.length) return;
        if (resumes === maxResumes) throw new UpstreamError('unavailable', `${this.body.host} cut the range`);
        await this.resume(sent);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };

  readonly close = (): Promise<void> => {
    if (!this.isClosed) this.release();
    this.isClosed = true;
    this.body.body.destroy();
    return Promise.resolve();
  };

  /** @returns the bytes that were sent before the body ended */
  private async send(sink: ChunkSink, before: number): Promise<number> {
    const { body, host, counts } = this.body;
    let sent = 0;
    await receive(body, host, async (chunk) => {
      counts.received += chunk.length;
      if (before + sent + chunk.length > this.part.length)
        throw new UpstreamError('wrong', `${host} sent more than the range`);
      await sink(chunk);
      sent += chunk.length;
    });
    return sent;
  }

  private async resume(sent: number): Promise<void> {
    const { offset, length } = this.part;
    const next = await this.rest(`bytes=${offset + sent}-${offset + length - 1}`, this.body.entityTag);
    if (!next) throw new UpstreamError('wrong', `${this.body.host} does not continue the range`);
    this.body = next;
    if (this.isClosed || next.size !== this.size) {
      next.body.destroy();
      throw new UpstreamError('wrong', `${next.host} changed the content`);
    }
  }
}
