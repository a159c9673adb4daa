import http, { type IncomingMessage, type RequestListener } from 'node:http';
import https from 'node:https';
import net, { type Server } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ForwardProxy } from '../../../test/fakes/forward-proxy.js';
import { Listener } from '../../../test/fakes/listener.js';
import { makeCertificate } from '../../../test/fixtures/certificate.js';
import { CloudClient, CloudError, type CloudRequest } from './cloud.client.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const resource of open.splice(0)) await resource[Symbol.asyncDispose]();
});

async function listen(create: () => Server): Promise<Listener> {
  const listener = new Listener(create);
  await listener.start();
  open.push({ [Symbol.asyncDispose]: () => listener.stop() });
  return listener;
}

const serve = (listener: RequestListener) => listen(() => http.createServer(listener));
const secret = 'planted-cloud-secret';

function send(url: string, request: Partial<CloudRequest> = {}, client = new CloudClient()) {
  const { signal = AbortSignal.timeout(20_000), ...others } = request;
  return client.send({ method: 'GET', url: new URL(url), headers: { authorization: secret }, signal, ...others });
}

async function failure(url: string, request?: Partial<CloudRequest>, client?: CloudClient): Promise<CloudError> {
  const error: unknown = await send(url, request, client).then(
    () => expect.fail('a response'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CloudError);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
  return error as CloudError;
}

describe('a request to a cloud', () => {
  it('sends method, headers and body, and gives status, headers and text', async () => {
    const requests: [string | undefined, IncomingMessage['headers'], string][] = [];
    const { host } = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        requests.push([request.method, request.headers, body]);
        response.writeHead(418, { 'x-code': '7' }).end('täxt');
      });
    });
    const { status, headers, text } = await send(`http://${host}/a?b=c`, { method: 'POST', body: 'bödy' });
    expect([status, headers['x-code'], text]).toEqual([418, '7', 'täxt']);
    const [[method, sent, body]] = requests as [[string, IncomingMessage['headers'], string]];
    expect([method, body, sent['content-length'], sent.connection]).toEqual(['POST', 'bödy', '5', 'close']);
    expect(sent['user-agent']).toMatch(/^oci-registry\//);
  });

  it('follows no redirect', async () => {
    const { host } = await serve((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    expect((await send(`http://${host}/`)).status).toBe(302);
  });

  it.each([
    ['silence', () => undefined],
    ['half a body', (_: unknown, response: http.ServerResponse) => response.write('{')],
  ] as [string, RequestListener][])('ends at its deadline and when its caller aborts: %s', async (_, listener) => {
    const { host } = await serve(listener);
    const late = await failure(`http://${host}/`, { deadline: 200 });
    expect([late.message, late.isTimeout]).toEqual([`${host} did not respond in time`, true]);
    expect((await failure(`http://${host}/`, { signal: AbortSignal.timeout(200) })).isTimeout).toBe(true);
    await failure(`http://${host}/`, { signal: AbortSignal.abort() });
  });

  it('is given at most 256 KiB', async () => {
    const { host } = await serve((_, response) => {
      const more = () => {
        if (response.write('x'.repeat(65_536))) setImmediate(more);
        else response.once('drain', more);
      };
      response.on('close', () => response.removeAllListeners('drain'));
      more();
    });
    expect((await failure(`http://${host}/`)).message).toBe(`the response of ${host} exceeds 262144 bytes`);
  });

  it('fails for a cut body, a closed port and what is not HTTP', async () => {
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('half');
      setTimeout(() => response.destroy(), 20);
    });
    expect((await failure(`http://${cut.host}/`)).message).toContain(`${cut.host} cannot be reached`);
    const closed = await listen(() => net.createServer());
    await closed.stop();
    expect((await failure(`http://${closed.host}/`)).message).toBe(`${closed.host} cannot be reached (ECONNREFUSED)`);
    const other = await listen(() => net.createServer((socket) => socket.end('SSH-2.0\r\n')));
    expect((await failure(`http://${other.host}/`)).message).toMatch(/violates HTTP \(HPE_/);
  });

  it('fails for a header that cannot be sent, without repeating it', async () => {
    const { host } = await serve((_, response) => response.end());
    await failure(`http://${host}/`, { headers: { authorization: `${secret}\n` } });
  });

  it('verifies certificates, and says what to do', async () => {
    const authority = makeCertificate();
    const { port } = await listen(() =>
      https.createServer(makeCertificate(undefined, undefined, authority), (_, response) => response.end('yes')),
    );
    const url = `https://localhost:${port}/`;
    expect((await failure(url)).message).toContain('set NODE_EXTRA_CA_CERTS');
    expect((await send(url, {}, new CloudClient(authority.cert))).text).toBe('yes');
  });

  it('goes through the proxy of the environment, unless it is for a metadata service', async () => {
    const { host } = await serve((_, response) => response.end('here'));
    const proxy = await ForwardProxy.start({ hosts: { 'cloud.test': '127.0.0.1' } });
    open.push(proxy);
    vi.stubEnv('http_proxy', proxy.url);
    expect((await send(`http://cloud.test:${host.split(':')[1]}/`)).text).toBe('here');
    expect(proxy.asked).toHaveLength(1);
    expect((await send(`http://${host}/`, { isMetadata: true })).text).toBe('here');
    expect(proxy.asked).toHaveLength(1);
    proxy.refusal = { status: 407 };
    expect((await failure('http://cloud.test/')).message).toContain(`the proxy ${proxy.host} requires credentials`);
  });
});
