import type { IncomingMessage } from 'node:http';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { refusalIn } from '../../../config/proxy/proxy-error.js';
import { proxyOf } from '../../../config/proxy/proxy.js';

type Handle = NodeHttpHandler['handle'];

/** Takes what a proxy responds itself, to a request over plain http, for no response of the bucket. */
export class ProxiedHandler extends NodeHttpHandler {
  override async handle(...[request, options]: Parameters<Handle>): ReturnType<Handle> {
    const handled = await super.handle(request, options);
    if (request.protocol === 'https:') return handled;
    const { hostname, port } = request;
    const proxy = proxyOf(new URL(`http://${hostname}${port === undefined ? '' : `:${port}`}`));
    const { statusCode, headers } = handled.response;
    const error = proxy && refusalIn(proxy, statusCode, headers);
    if (!error) return handled;
    (handled.response.body as IncomingMessage).destroy();
    throw error;
  }
}
