import type { FastifyReply } from 'fastify';

/** Headers of every admin response: no cache may store it, and no browser may guess its type. */
export const adminHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** Sends a document as the whole response. */
export function sendJson(reply: FastifyReply, status: number, document: object, headers: Record<string, string> = {}) {
  const body = `${JSON.stringify(document)}\n`;
  start(reply, status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers });
  reply.raw.end(body);
}

/** Starts a response of unknown length. */
export function start(reply: FastifyReply, status: number, headers: Record<string, string | number>): void {
  reply.hijack();
  // Set before they are written, so that the request log can read them.
  for (const [name, value] of Object.entries({ ...adminHeaders, ...headers })) reply.raw.setHeader(name, value);
  reply.raw.writeHead(status);
}
