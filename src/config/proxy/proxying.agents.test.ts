import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Names } from '../../../test/chaos/support/names.js';
import { ForwardProxy, type Refusal } from '../../../test/fakes/forward-proxy.js';
import { Listener } from '../../../test/fakes/listener.js';
import { makeCertificate } from '../../../test/fixtures/certificate.js';
import { ProxyingHttpAgent, proxyingHttpsAgent } from './proxying.agents.js';

const tls = makeCertificate(['registry.test']);
const hosts = { 'registry.test': '127.0.0.1' };
const answer: http.RequestListener = (request, response) =>
  response.end(`${request.url} ${request.headers.host} ${request.headers['proxy-authorization'] ?? '-'}`);

beforeEach(() => {
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'])
    vi.stubEnv(name, '').stubEnv(name.toLowerCase(), '');
});
afterEach(() => void vi.unstubAllEnvs());

async function start(create: () => http.Server): Promise<Listener & AsyncDisposable> {
  const listener = new Listener(create);
  await listener.start();
  return Object.assign(listener, { [Symbol.asyncDispose]: () => listener.stop() });
}

async function get(url: string, agent: http.Agent): Promise<{ status: number | undefined; text: string }> {
  const sent = (url.startsWith('https') ? https : http).get(url, { agent });
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  const text = (await response.toArray()).join('');
  return { status: response.statusCode, text };
}

describe('agents behind a proxy', () => {
  it('https goes through a tunnel, which serves further requests and knows no password of the proxy', async () => {
    await using server = await start(() => https.createServer(tls, answer));
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const agent = proxyingHttpsAgent({ keepAlive: true, ca: tls.cert });
    const url = `https://registry.test:${server.port}/v2/`;
    for (let requests = 0; requests < 3; requests += 1)
      expect(await get(url, agent)).toEqual({ status: 200, text: `/v2/ registry.test:${server.port} -` });
    expect(proxy.asked).toEqual([`CONNECT registry.test:${server.port}`]);
    agent.destroy();
  });

  it('https through a tunnel checks the certificate of the registry', async () => {
    await using server = await start(() => https.createServer(tls, answer));
    await using proxy = await ForwardProxy.start();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const agent = proxyingHttpsAgent({});
    const sent = get(`https://registry.test:${server.port}/`, agent);
    await expect(sent).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    agent.destroy();
  });

  it('http is sent to the proxy with the whole URL, on connections that serve further requests', async () => {
    await using server = await start(() => http.createServer(answer));
    await using proxy = await ForwardProxy.start({ asksForPassword: true, hosts });
    vi.stubEnv('HTTP_PROXY', proxy.url);
    const agent = new ProxyingHttpAgent({ keepAlive: true });
    const url = `http://registry.test:${server.port}/v2/?n=1`;
    for (let requests = 0; requests < 3; requests += 1)
      expect(await get(url, agent)).toEqual({ status: 200, text: `/v2/?n=1 registry.test:${server.port} -` });
    expect([new Set(proxy.asked), proxy.connections]).toEqual([new Set([`GET ${url}`]), 1]);
    agent.destroy();
  });

  it('what NO_PROXY exempts is contacted directly by the same agents', async () => {
    await using plain = await start(() => http.createServer(answer));
    await using secure = await start(() => https.createServer(tls, answer));
    vi.stubEnv('ALL_PROXY', 'http://192.0.2.1:9').stubEnv('NO_PROXY', 'registry.test');
    const options = { lookup: Names.here().lookup, ca: tls.cert };
    const agents = [new ProxyingHttpAgent(options), proxyingHttpsAgent(options)] as const;
    expect((await get(`http://registry.test:${plain.port}/`, agents[0])).status).toBe(200);
    expect((await get(`https://registry.test:${secure.port}/`, agents[1])).status).toBe(200);
  });

  it.each<[string, Refusal, string]>([
    ['407', { status: 407 }, 'requires credentials, and HTTPS_PROXY has none (407)'],
    ['403', { status: 403 }, 'responded with 403'],
    ['502', { status: 502 }, 'responded with 502'],
    ['closes', 'close', 'closed the connection'],
  ])('a proxy that refuses the tunnel with %s is named', async (_, refusal, message) => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = refusal;
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const sent = get('https://registry.test/', proxyingHttpsAgent({}));
    await expect(sent).rejects.toThrow(`the proxy ${proxy.host} ${message}`);
  });

  it('a proxy that says nothing is given up after 5 s, and at once when the agent is destroyed', async () => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = 'silence';
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const [waiting, ending] = [proxyingHttpsAgent({}), proxyingHttpsAgent({})];
    const sent = [get('https://registry.test/', waiting), get('https://registry.test/', ending)];
    await vi.waitFor(() => expect(proxy.asked).toHaveLength(2));
    ending.destroy();
    await expect(sent[1]).rejects.toThrow(proxy.host);
    await expect(sent[0]).rejects.toThrow(`the proxy ${proxy.host} does not respond`);
  }, 60_000);

  it.each(['HTTPS_PROXY', 'HTTP_PROXY'])('a proxy of %s that is not there is named', async (variable) => {
    const proxy = await ForwardProxy.start();
    await proxy[Symbol.asyncDispose]();
    vi.stubEnv(variable, proxy.url);
    const isSecure = variable === 'HTTPS_PROXY';
    const agent = isSecure ? proxyingHttpsAgent({}) : new ProxyingHttpAgent({});
    const sent = get(`http${isSecure ? 's' : ''}://registry.test/`, agent);
    await expect(sent).rejects.toThrow(`the proxy ${proxy.host} cannot be reached (ECONNREFUSED)`);
  });

  it.each(['HTTPS_PROXY', 'HTTP_PROXY'])('the certificate of a proxy with TLS is checked (%s)', async (variable) => {
    await using proxy = await ForwardProxy.start({ tls: makeCertificate(['proxy.test']) });
    vi.stubEnv(variable, proxy.url);
    const isSecure = variable === 'HTTPS_PROXY';
    // What an upstream allows itself does not extend to the proxy.
    const agent = isSecure ? proxyingHttpsAgent({ rejectUnauthorized: false }) : new ProxyingHttpAgent({});
    const sent = get(`http${isSecure ? 's' : ''}://registry.test/`, agent);
    await expect(sent).rejects.toThrow(`the proxy ${proxy.host} cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT)`);
    expect(proxy.asked).toEqual([]);
  });
});
