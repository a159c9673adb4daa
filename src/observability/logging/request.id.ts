import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const prefix = randomBytes(6).toString('hex');
let count = 0;

/** The client's X-Request-Id if it is a short plain word, which cannot forge a log line; otherwise a new one. */
export function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  if (typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given)) return given;
  return `${prefix}-${(count += 1).toString(36)}`;
}
