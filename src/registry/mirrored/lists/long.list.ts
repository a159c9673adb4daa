import { JsonError } from '../../../oci/json/json.js';
import { JsonStream } from '../../../oci/json/json.stream.js';
import type { ChunkSink } from '../../../storage/storage.provider.js';
import type { LongBody } from '../../../upstream/transport/long.body.js';
import { UpstreamError } from '../../../upstream/upstream-error.js';
import type { StreamedList } from '../../list-page.js';

/** Bytes of a list that is remembered, and milliseconds to receive it before clients get it as it arrives. */
const maxKept = 4 * 1024 * 1024;
const patience = 10_000;

/** How clients get a list: the field that has the entries, and what is around that. */
export interface ListFormat {
  readonly field: 'tags' | 'manifests';
  /** Begins the document in which clients get the field alone; undefined when they get the document as it is. */
  readonly head?: Buffer;
}

/**
 * A list of which the registry has sent more than is held in memory. It is checked as it arrives: a client gets a complete
 * list only of JSON in which the field is an array, of strings in the case of tags.
 */
export class LongList implements StreamedList {
  private readonly scan: JsonStream;
  /** Checked, for clients, and not sent yet. */
  private readonly parts: Uint8Array[] = [];
  private isOver = false;
  private isTaken = false;

  constructor(
    private readonly body: LongBody,
    private readonly format: ListFormat,
  ) {
    this.scan = new JsonStream(format.field, format.field === 'tags');
    if (format.head) this.parts.push(format.head);
  }

  /**
   * Reads on until it knows what to do with the list.
   * @returns the document if it was complete in time and is small: much of what a registry sends may be of no use to clients.
   * Otherwise undefined, and `copy` sends it.
   * @throws UpstreamError `wrong` when it is no such list
   */
  async collect(): Promise<Buffer | undefined> {
    try {
      const document = await this.collectSmall();
      if (document) this.body.hold.handOver();
      return document;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private async collectSmall(): Promise<Buffer | undefined> {
    const deadline = performance.now() + patience;
    for (let size = 0; size <= maxKept && performance.now() < deadline;) {
      const part = await this.read();
      this.parts.push(part);
      size += part.length;
      if (this.isOver) return Buffer.concat(this.parts);
    }
    if (!this.format.head && this.scan.value === undefined)
      throw new UpstreamError('wrong', 'the upstream sent no list, or too much before it');
    return undefined;
  }

  /** Whether the caller is the first: only one client can get it. */
  take(): boolean {
    const isFirst = !this.isTaken;
    this.isTaken = true;
    return isFirst;
  }

  async copy(sink: ChunkSink, signal: AbortSignal): Promise<void> {
    const close = () => this.close();
    signal.addEventListener('abort', close, { once: true });
    try {
      for (const part of this.parts.splice(0)) await sink(part);
      this.body.hold.release();
      while (!this.isOver) await sink(await this.read());
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  close(): void {
    this.body.close();
  }

  /** The next part for clients, which may be empty. */
  private async read(): Promise<Uint8Array> {
    const chunk = await this.body.next();
    try {
      if (chunk) {
        const entries = this.scan.push(chunk);
        return this.format.head ? entries : chunk;
      }
      this.isOver = true;
      this.scan.end();
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      throw new UpstreamError('wrong', `the upstream sent no list: ${error.message}`);
    }
    if (!this.format.head) return Buffer.alloc(0);
    return Buffer.from(this.scan.value === 'null' ? '[]}' : '}');
  }
}
