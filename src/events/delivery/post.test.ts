import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebhookSettings } from '../../config/webhooks/webhook.settings.js';
import { Poster, type PostResult } from './post.js';

/** What comes of a request that is answered these bytes, or nothing. */
async function postTo(answer: string | undefined, then?: (socket: Socket) => void): Promise<PostResult> {
  const sockets: Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      if (answer !== undefined) socket.write(answer);
      then?.(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/planted-path?key=planted`;
  const poster = new Poster(Object.assign(new WebhookSettings(), { url, timeout: 300 }), 1);
  try {
    return await poster.post({ contentType: 'application/json', body: '{}' }, new AbortController().signal);
  } finally {
    poster.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const end = (socket: Socket) => void socket.end();
const reset = (socket: Socket) => void socket.resetAndDestroy();

describe('a request to a webhook', () => {
  it.each<[string, string | undefined, PostResult, ((socket: Socket) => void)?]>([
    ['200', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', { isDelivered: true }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', { isDelivered: true }],
    [
      '100 before 202',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n',
      { isDelivered: true },
    ],
    ['200 with a body that is cut', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', { isDelivered: true }, reset],
    ['200 with a body that stalls', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', { isDelivered: true }],
    ['304', 'HTTP/1.1 304 Not Modified\r\n\r\n', { isDelivered: false, reason: 'status 304', retryAfter: undefined }],
    [
      '429',
      'HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n',
      { isDelivered: false, reason: 'status 429', retryAfter: 7 },
    ],
    [
      '503 for ever',
      'HTTP/1.1 503 No\r\nretry-after: 99999\r\ncontent-length: 0\r\n\r\n',
      { isDelivered: false, reason: 'status 503', retryAfter: 900 },
    ],
    [
      '101',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      { isDelivered: false, reason: 'no response in time' },
    ],
    ['nonsense', 'SSH-2.0-OpenSSH\r\n', { isDelivered: false, reason: 'connection failed (HPE_INVALID_CONSTANT)' }],
    ['half a head', 'HTTP/1.1 200 O', { isDelivered: false, reason: 'connection failed (ECONNRESET)' }, end],
    ['nothing', undefined, { isDelivered: false, reason: 'no response in time' }],
  ])('that is answered %s', async (_, answer, result, then) => {
    expect(await postTo(answer, then)).toEqual(result);
  });

  it('waits for a date, too, and not for the past', async () => {
    const dated = (date: Date) =>
      postTo(`HTTP/1.1 503 No\r\nretry-after: ${date.toUTCString()}\r\ncontent-length: 0\r\n\r\n`);
    const { retryAfter: later } = { retryAfter: 0, ...(await dated(new Date(Date.now() + 60_000))) };
    expect(later).toBeGreaterThan(50);
    expect(later).toBeLessThanOrEqual(60);
    expect(await dated(new Date(0))).toMatchObject({ retryAfter: undefined });
  });
});
