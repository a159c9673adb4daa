import type { IncomingMessage } from 'node:http';
import { releaseBytes } from '../../config/receiving/release-bytes.js';
import type { TakeChunk } from '../../registry/push.js';

/** Hears when the flow of a body waits for its client, and when it does not. */
export interface FlowWatch {
  waits(): void;
  /** @param bytes that have come. */
  stopsWaiting(bytes: number): void;
}

/** Passes the chunks of a body on as they arrive. The connection is paused while one is being taken. */
export class BodyFlow {
  /** The chunk that is being taken. Never rejects. */
  taking: Promise<void> | undefined;
  /** Of the last chunk that was passed on. */
  failure: { readonly error: unknown } | undefined;

  /** @param wake called when the flow has ended or failed. */
  constructor(
    private readonly request: IncomingMessage,
    private readonly take: TakeChunk,
    private readonly watch: FlowWatch,
    private readonly wake: () => void,
  ) {
    request.on('data', this.receive).on('end', wake).on('close', wake).on('error', wake);
    request.resume();
    watch.waits();
  }

  /** What has not been passed on stays in the request, for whoever reads it next. */
  stop(): void {
    const { request, wake } = this;
    request.off('data', this.receive).off('end', wake).off('close', wake).pause();
    // The error of a connection that breaks may still come.
  }

  private readonly receive = (chunk: Buffer): void => {
    this.watch.stopsWaiting(chunk.length);
    try {
      const taking = this.take(chunk);
      if (taking) {
        this.request.pause();
        this.taking = this.wait(taking, chunk);
      } else {
        releaseBytes(chunk);
        this.watch.waits();
      }
    } catch (error) {
      this.fail(error);
    }
  };

  private async wait(taking: Promise<void>, chunk: Buffer): Promise<void> {
    try {
      await taking;
      releaseBytes(chunk);
      this.watch.waits();
      this.request.resume();
    } catch (error) {
      this.fail(error);
    }
    this.taking = undefined;
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    this.request.pause();
    this.wake();
  }
}
