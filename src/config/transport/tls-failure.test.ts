import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/fixtures/certificate.js';
import { explainTlsFailure, mayExpectTls, tlsFailureOf } from './tls-failure.js';

const remedies = { trust: 'TRUST', plain: 'PLAIN', rename: 'RENAME' };
const authority = makeCertificate();
const signed = makeCertificate(undefined, undefined, authority);
const self = makeCertificate();
const expired = makeCertificate(undefined, [-4, -2]);
const future = makeCertificate(undefined, [2, 4]);
const other = makeCertificate(['other.test']);

/** The error of a request to a server, which it does not serve. */
async function errorOf(server: Server, scheme: 'http' | 'https', ca?: string): Promise<unknown> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => sockets.add(socket.on('error', () => undefined)));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const options = { host: '127.0.0.1', port, agent: false, ...(ca !== undefined && { ca }) };
    const request = (scheme === 'https' ? https : http).request(options).end();
    return (await Promise.race([once(request, 'error'), once(request, 'response')]))[0];
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const tls = (options: TlsOptions) => createServer(options);

describe('TLS before a registry or a bucket', () => {
  const cases: [string, () => Server, string | undefined, string, string][] = [
    ['an untrusted CA', () => tls(signed), undefined, 'untrusted', 'for a private CA, TRUST'],
    [
      'an untrusted CA that is sent along',
      () => tls({ ...signed, cert: signed.cert + authority.cert }),
      undefined,
      'untrusted',
      'for a private CA, TRUST',
    ],
    ['a self-signed certificate', () => tls(self), undefined, 'self-signed', 'to trust it, TRUST'],
    ['an expired certificate', () => tls(expired), expired.cert, 'expired', 'renew it'],
    ['a certificate of the future', () => tls(future), future.cert, 'not-yet-valid', 'correct the clock'],
    ['a certificate of another host', () => tls(other), other.cert, 'wrong-name', 'RENAME'],
    ['plain http', () => http.createServer(), undefined, 'plain', 'for plain http, PLAIN'],
    ['a server that hangs up', () => net.createServer((socket) => socket.end()), undefined, 'cut', 'PLAIN'],
    [
      'a server that requires a certificate',
      () => tls({ ...self, requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2', ca: other.cert }),
      self.cert,
      'unusable',
      'the TLS handshake failed',
    ],
  ];

  it.each(cases)('%s is named with what mends it', async (_, start, ca, kind, text) => {
    const error = await errorOf(start(), 'https', ca);
    expect(tlsFailureOf(error)?.kind).toBe(kind);
    expect(explainTlsFailure(new Error('wrapped', { cause: error }), remedies)).toContain(text);
  });

  it('is not blamed for other failures', () => {
    expect(tlsFailureOf(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBeUndefined();
    expect(tlsFailureOf(Object.assign(new Error('read'), { code: 'ECONNRESET' }))).toBeUndefined();
    expect(explainTlsFailure('no error', remedies)).toBeUndefined();
  });

  it('may be what a server expects that does not respond to plain http', async () => {
    expect(mayExpectTls(await errorOf(tls(self), 'http'))).toBe(true);
    expect(mayExpectTls(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBe(false);
    const record = Object.assign(new Error('parse'), { code: 'HPE_INVALID_CONSTANT', rawPacket: Buffer.from([21, 3]) });
    expect(mayExpectTls(new Error('wrapped', { cause: record }))).toBe(true);
  });
});
