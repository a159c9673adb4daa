import fastify from 'fastify';
import { serveStatusPage } from '../../../src/observability/status/status.route.js';
import type { StatusView } from '../../../src/observability/status/status.view.js';

/** The page about something that did not happen, as the mirror serves it. */
export async function servePage(view: StatusView): Promise<{ url: string; close: () => Promise<void> }> {
  const server = fastify();
  serveStatusPage(server, { namespaces: [], defaultNamespace: 'docker.io' }, () => () => view);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url: `${url}/`, close: () => server.close() };
}
