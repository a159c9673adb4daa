import type { NodeHttpHandler } from '@smithy/node-http-handler';
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
  constructor(
    options: ConstructorParameters<typeof NodeHttpHandler>[0],
    private readonly onResponse: () => void,
  ) {
    super(options);
  }

  override async handle(request: Request, options: Parameters<Handle>[1] = {}): ReturnType<Handle> {
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
