import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServerSettings } from '../config/server.settings.js';
import type { PageServer } from './page.server.js';
import { overview, pages } from './page.table.js';
import { prefersHtml } from './preferred-type.js';
import { signInPath } from './sign-in.path.js';

const reading = ['GET', 'HEAD'];

/**
 * Serves the pages for people unless they are switched off. What makes them is loaded with the first request for one: a
 * server that nobody looks at pays nothing for it.
 */
export function pagesPlugin(app: INestApplicationContext) {
  return (fastify: FastifyInstance): void => {
    if (!app.get(ServerSettings).statusPage) return;
    const load = once(async () => new (await import('./page.server.js')).PageServer(app));
    const to = (serve: Serve) => async (request: FastifyRequest, reply: FastifyReply) => {
      await serve(await load(), request, reply);
    };
    const serveOverview = to((server, request, reply) =>
      request.originalUrl === '/' ? server.sendPage(overview, request, reply) : server.signIn(request, reply),
    );
    fastify.addHook('onRequest', (request, reply, done) => {
      const { method, originalUrl, headers } = request;
      const isOverview = originalUrl === '/' || originalUrl === signInPath || originalUrl.startsWith(`${signInPath}=`);
      if (!reading.includes(method) || !isOverview || !prefersHtml(headers.accept)) done();
      else serveOverview(request, reply).catch(done);
    });
    const read = (url: string, serve: Serve) => fastify.route({ method: reading, url, handler: to(serve) });
    read('/_ui/assets/:file', (server, request, reply) => server.sendAsset(request, reply));
    read('/_ui/live', (server, request, reply) => server.sendLive(request, reply));
    fastify.addHook('preClose', async () => (await load.loaded)?.close());
    for (const entry of pages) {
      const serve: Serve = (server, request, reply) => server.sendPage(entry, request, reply);
      read(entry.path, serve);
      if (entry.takesForms === true) fastify.post(entry.path, to(serve));
    }
  };
}

type Serve = (server: PageServer, request: FastifyRequest, reply: FastifyReply) => void | Promise<void>;

/** Loads something once, and anew if that failed. */
function once<T>(load: () => Promise<T>) {
  const get = (): Promise<T> => {
    get.loaded ??= load().catch((error: unknown) => {
      get.loaded = undefined;
      throw error;
    });
    return get.loaded;
  };
  /** Undefined before it was asked for. */
  get.loaded = undefined as Promise<T> | undefined;
  return get;
}
