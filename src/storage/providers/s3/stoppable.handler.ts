import type { NodeHttpHandler } from '@smithy/node-http-handler';
import { StorageError } from '../../storage-error.js';
import { ProxiedHandler } from './proxied.handler.js';

type Handle = NodeHttpHandler['handle'];
type Request = Parameters<Handle>[0];

/** What ends a request whose handler is only reached through the client's options. */
const stops = new WeakMap<object, AbortController>();

/** @returns what ends the request, as long as the client waits for it or for a body that the client reads itself. */
export function makeStoppable(request: object): AbortController {
  const stop = new AbortController();
  stops.set(request, stop);
  return stop;
}

/** Sends requests that `makeStoppable` can end, and reports every response. */
export class StoppableHandler extends ProxiedHandler {
  private isDestroyed = false;

  constructor(
    options: ConstructorParameters<typeof NodeHttpHandler>[0],
    private readonly onResponse: () => void,
  ) {
    super(options);
  }

  /** Ends running requests and refuses others: their retries would keep a process alive that shuts down. */
  override destroy(): void {
    this.isDestroyed = true;
    super.destroy();
  }

  override async handle(request: Request, options: Parameters<Handle>[1] = {}): ReturnType<Handle> {
    if (this.isDestroyed) throw new StorageError('failed', 'the storage is closed');
    const stop = stops.get(request);
    const sent = await super.handle(request, stop ? { ...options, abortSignal: joined(stop, options) } : options);
    this.onResponse();
    return sent;
  }
}

/** The caller's signal belongs to this request alone, so its listener goes with it. */
function joined(stop: AbortController, { abortSignal }: NonNullable<Parameters<Handle>[1]>): AbortSignal {
  if (abortSignal instanceof AbortSignal) {
    const forward = () => stop.abort(abortSignal.reason);
    if (abortSignal.aborted) forward();
    else abortSignal.addEventListener('abort', forward, { once: true });
  }
  return stop.signal;
}
