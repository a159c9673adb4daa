import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServerSettings } from '../config/server.settings.js';
import type { PageServer } from './page.server.js';
import { pages } from './page.table.js';

/**
 * Serves the pages for people unless they are switched off. What makes them is loaded with the first request for one: a
 * server that nobody looks at pays nothing for it.
 */
export function pagesPlugin(app: INestApplicationContext) {
  return (fastify: FastifyInstance): void => {
    if (!app.get(ServerSettings).statusPage) return;
    const load = once(async () => new (await import('./page.server.js')).PageServer(app));
    const to = (serve: Serve) => {
      return async (request: FastifyRequest, reply: FastifyReply) => serve(await load(), request, reply);
    };
    fastify.get(
      '/_ui/assets/:file',
      to((server, request, reply) => server.sendAsset(request, reply)),
    );
    for (const entry of pages) {
      const serve = to((server, request, reply) => server.sendPage(entry, request, reply));
      fastify.get(entry.path, serve);
      if (entry.takesForms === true) fastify.post(entry.path, serve);
    }
  };
}

type Serve = (server: PageServer, request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;

/** Loads something once, and anew if that failed. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}
