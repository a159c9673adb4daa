import type { FastifyReply } from 'fastify';

/** What every answer of the room has: nothing of it may be kept by a cache, and no browser may guess its type. */
export const adminHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** Writes a document as the whole answer. */
export function sendJson(reply: FastifyReply, status: number, document: object, headers: Record<string, string> = {}) {
  const body = `${JSON.stringify(document)}\n`;
  start(reply, status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers });
  reply.raw.end(body);
}

/** Begins an answer whose length is not known. */
export function start(reply: FastifyReply, status: number, headers: Record<string, string | number>): void {
  reply.hijack();
  // Set, not only written, so that the request log can read them.
  for (const [name, value] of Object.entries({ ...adminHeaders, ...headers })) reply.raw.setHeader(name, value);
  reply.raw.writeHead(status);
}
