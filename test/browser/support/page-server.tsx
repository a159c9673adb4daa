import fastify from 'fastify';
import type { StatusView } from '../../../src/observability/status/status.view.js';
import { findAsset } from '../../../src/web/assets/assets.js';
import { Formats } from '../../../src/web/format/formats.js';
import { pageHeaders } from '../../../src/web/page.headers.js';
import { overview as entry, pages } from '../../../src/web/page.table.js';
import { overview } from '../../../src/web/pages/overview/overview.page.js';
import { renderPage } from '../../../src/web/render.js';

const nobody = { name: undefined as string | undefined, maySignIn: true, isAdministrator: false, reader: undefined };
export const administrator = { ...nobody, name: 'user:anna', maySignIn: false, isAdministrator: true };

/** The overview of something that did not happen, as the server shows it. */
export async function servePage(
  view: StatusView,
  visitor = nobody,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = fastify({ forceCloseConnections: true });
  server.get('/', (request, reply) => {
    const frame = {
      ...{
        visitor,
        navigation: [entry, ...pages].filter(({ name }) => name !== undefined),
        current: '/',
        target: '/',
      },
      ...{
        params: {},
        query: new URLSearchParams(),
        mirror: undefined,
        server: undefined,
        now: view.at,
        requestId: '1',
        csrf: () => '',
        host: undefined,
        address: '127.0.0.1',
      },
      formats: Formats.for(request.headers['accept-language']),
    };
    return reply.headers(pageHeaders).send(renderPage(overview(view), frame));
  });
  server.get('/_ui/assets/:file', (request, reply) => {
    const { headers, body } = findAsset((request.params as { file: string }).file)!;
    return reply.headers(headers).send(body);
  });
  // What the page listens to is tested with the whole server; without a stream it would say that it is not live.
  server.get('/_ui/live', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).write('\n');
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url: `${url}/`, close: () => server.close() };
}
