import { Logger } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { networkOf } from '../access/limits/network.of.js';
import { OciError } from '../oci/error.js';

/** Listeners of one process, and of one client: each costs a connection, and some rendering a second. */
const [most, mostOfClient] = [32, 8];
/** Seconds after which a refused listener may ask again. */
const retryAfter = 30;
/** Milliseconds between two looks, between two signs of life, and after which a listener has to come again. */
const [pause, heartbeat, longest] = [1_000, 15_000, 60_000];

interface Listener {
  readonly response: ServerResponse;
  /** The network of its client. */
  readonly network: string;
  /** Undefined when the listener may see nothing any more. */
  readonly render: () => string | undefined;
  readonly since: number;
  last: string | undefined;
  sentAt: number;
}

/**
 * Sends browsers what has changed, as server-sent events. One timer for all, which runs only while somebody listens; a
 * listener that reads too slowly misses states, and comes again after a minute, when its rights are looked up anew.
 */
export class LiveListeners {
  private readonly logger = new Logger('Pages');
  private readonly listeners = new Set<Listener>();
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(private readonly isDraining: () => boolean) {}

  /** Why another one of a client would not be accepted. @param address of the client */
  refusalFor(address: string): OciError | undefined {
    if (this.isClosed || this.isDraining() || this.listeners.size >= most)
      return new OciError('UNAVAILABLE', 'too many pages are listening', { retryAfter });
    const network = networkOf(address);
    const own = [...this.listeners].filter((listener) => listener.network === network);
    if (own.length < mostOfClient) return undefined;
    return new OciError('TOOMANYREQUESTS', 'too many pages are listening from this address', { retryAfter });
  }

  /** @param response whose header has been written. @param address of the client */
  add(response: ServerResponse, address: string, render: Listener['render']): void {
    const now = performance.now();
    const network = networkOf(address);
    const listener: Listener = { response, network, render, since: now, last: undefined, sentAt: now };
    this.listeners.add(listener);
    response.once('close', () => this.remove(listener));
    response.on('error', () => this.remove(listener));
    response.write('retry: 2000\n\n');
    this.timer ??= setInterval(() => this.tick(), pause).unref();
    this.send(listener, now);
  }

  /** Ends all, for good. */
  close(): void {
    this.isClosed = true;
    for (const listener of this.listeners) this.end(listener);
  }

  private tick(): void {
    const now = performance.now();
    const isDraining = this.isDraining();
    for (const listener of this.listeners) {
      if (isDraining || now - listener.since > longest) this.end(listener);
      else this.send(listener, now);
    }
  }

  private send(listener: Listener, now: number): void {
    const { response } = listener;
    if (response.writableNeedDrain && !response.destroyed) return;
    const text = response.destroyed ? undefined : this.textOf(listener);
    if (text === undefined) {
      this.end(listener);
    } else if (text !== listener.last) {
      listener.last = text;
      listener.sentAt = now;
      // JSON has no line breaks.
      response.write(`data: ${JSON.stringify(text)}\n\n`);
    } else if (now - listener.sentAt > heartbeat) {
      listener.sentAt = now;
      response.write(': still here\n\n');
    }
  }

  /** Undefined if there is nothing to send any more. Never throws: nobody could catch it. */
  private textOf({ render }: Listener): string | undefined {
    try {
      return render();
    } catch (error) {
      this.logger.error(String(error), error instanceof Error ? error.stack : undefined);
      return undefined;
    }
  }

  /** One that does not read is cut. */
  private end(listener: Listener): void {
    this.remove(listener);
    if (listener.response.writableNeedDrain) listener.response.destroy();
    else listener.response.end();
  }

  private remove(listener: Listener): void {
    this.listeners.delete(listener);
    if (this.listeners.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
