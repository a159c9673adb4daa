import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { S3Settings } from '../../src/config/storage.settings.js';
import { Secret } from '../../src/config/values/secret.js';
import { ServerSettings } from '../../src/config/server.settings.js';
import { SystemClock } from '../../src/config/clock/clock.js';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { PeerClient } from '../../src/upstream/transport/peer.client.js';
import { Mirror, type UpstreamOptions } from '../e2e/support/mirror.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { ForwardProxy, type Refusal } from '../fakes/forward-proxy.js';
import { plain, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { makeImage } from '../fixtures/images.js';
import { codeOf, pull } from './support/client.js';
import { Names } from './support/names.js';

const image = makeImage({ layers: [100_000] });
const messageOf = ({ body }: { readonly body: Buffer }) => body.toString();

beforeEach(() => {
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'])
    vi.stubEnv(name, '').stubEnv(name.toLowerCase(), '');
});
afterEach(() => void vi.unstubAllEnvs());

const pullTag = (mirror: Mirror) => pull(`${mirror.url}/v2/registry.test/team/app/manifests/1`, image.manifest.body);
const start = (upstream: UpstreamOptions) =>
  Mirror.start({ resolver: Names.here(), upstreams: [{ namespace: 'registry.test', ...upstream }] });

describe('a proxy that does not pass a request on is named', () => {
  it.each<[string, Refusal, number, string]>([
    ['refuses the tunnel with 407', { status: 407 }, 503, '(407)'],
    ['refuses the tunnel with 403', { status: 403 }, 503, 'responded with 403'],
    ['refuses the tunnel with 502', { status: 502 }, 503, 'responded with 502'],
    ['closes the connection', 'close', 503, 'closed the connection'],
    ['says nothing', 'silence', 504, 'does not respond'],
  ])('when it %s', async (_, refusal, status, reason) => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = refusal;
    vi.stubEnv('https_proxy', proxy.url);
    await using mirror = await start({ host: 'registry.test', tls: true });
    const answer = await pullTag(mirror);
    expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(`the proxy ${proxy.host}`)]);
    expect(messageOf(answer)).toContain(`registry.test cannot be reached: the proxy ${proxy.host}`);
    expect(messageOf(answer)).toContain(reason);
    const page = await pull(`${mirror.url}/`, Buffer.alloc(0), { headers: { accept: 'text/html' } });
    expect(messageOf(page).replaceAll('<wbr/>', '')).toMatch(
      new RegExp(`>degraded</span>: registry.test cannot be reached: the proxy ${proxy.host}`),
    );
  });

  it('when it is not there, for https and http', async () => {
    const proxy = await ForwardProxy.start();
    await proxy[Symbol.asyncDispose]();
    vi.stubEnv('ALL_PROXY', proxy.host);
    for (const tls of [true, false]) {
      await using mirror = await start({ host: 'registry.test', tls });
      const answer = await pullTag(mirror);
      const reason = `registry.test cannot be reached: the proxy ${proxy.host} cannot be reached (ECONNREFUSED)`;
      expect([answer.status, messageOf(answer)]).toEqual([503, expect.stringContaining(reason)]);
    }
  });

  it.each<[string, Refusal, string]>([
    ['407', { status: 407 }, '(407)'],
    ['a 503 of Squid', { status: 503, headers: { server: 'squid/6.6' } }, 'responded with 503'],
    ['a 503 with X-Squid-Error', { status: 503, headers: { 'x-squid-error': 'ERR_DNS_FAIL 0' } }, 'responded with 503'],
    ['a 502 with Proxy-Status', { status: 502, headers: { 'proxy-status': 'p; error=dns_error' } }, 'with 502'],
    ['a 403 of Tinyproxy', { status: 403, headers: { server: 'tinyproxy/1.11' } }, 'responded with 403'],
  ])('when it answers a request with plain http with %s', async (_, refusal, reason) => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = refusal;
    vi.stubEnv('HTTP_PROXY', proxy.url);
    await using mirror = await start({ host: 'registry.test' });
    const answer = await pullTag(mirror);
    const message = expect.stringContaining(`registry.test cannot be reached: the proxy ${proxy.host}`) as string;
    expect([answer.status, codeOf(answer), messageOf(answer)]).toEqual([503, expect.any(String), message]);
    expect(messageOf(answer)).toContain(reason);
  });

  it('beside the registry when it cannot be told which of them answered', async () => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = { status: 502 };
    vi.stubEnv('HTTP_PROXY', proxy.url);
    await using mirror = await start({ host: 'registry.test' });
    expect(messageOf(await pullTag(mirror))).toContain(`registry.test through the proxy ${proxy.host} responded`);
  });

  it('and an error of the registry itself is not taken for one of the proxy', async () => {
    await using upstream = await ScriptedUpstream.start();
    await using proxy = await ForwardProxy.start({ hosts: { 'registry.test': '127.0.0.1' } });
    upstream.on('*', /./, plain(404, 'no such thing'));
    vi.stubEnv('HTTP_PROXY', proxy.url);
    await using mirror = await start({ host: `registry.test:${upstream.host.split(':')[1]}` });
    const answer = await pullTag(mirror);
    expect([answer.status, messageOf(answer).includes('proxy')]).toEqual([404, false]);
  });

  it('in the error of a bucket, and the bucket itself is asked for through it', async () => {
    await using proxy = await ForwardProxy.start();
    proxy.refusal = { status: 403 };
    vi.stubEnv('HTTPS_PROXY', proxy.url).stubEnv('HTTP_PROXY', proxy.url);
    for (const [host, asked] of [
      ['https://s3.test', 'CONNECT s3.test:443'],
      ['http://s3.test:9000', 'http://s3.test:9000/'],
    ] as const) {
      proxy.refusal = { status: host.startsWith('https') ? 403 : 407 };
      const keys = { accessKey: 'key', secretKey: new Secret('secret') };
      const provider = new S3Provider(Object.assign(new S3Settings(), { bucket: 'b', host, ...keys }));
      await expect(provider.initialize()).rejects.toThrow(`the proxy ${proxy.host}`);
      expect(proxy.asked.at(-1)).toContain(asked);
    }
  });
});

describe('NO_PROXY', () => {
  it('exempts one port of a registry, and its plain http goes where it should', async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    await using proxy = await ForwardProxy.start({ hosts: { 'registry.test': '127.0.0.1' } });
    const [, port] = registry.host.split(':');
    const host = `registry.test:${port}`;
    vi.stubEnv('HTTP_PROXY', proxy.url).stubEnv('NO_PROXY', `registry.test:1, 10.0.0.0/8`);
    {
      await using mirror = await start({ host });
      expect((await pullTag(mirror)).verdict).toBe('right');
      expect(proxy.asked.length).toBeGreaterThan(0);
    }
    const before = proxy.asked.length;
    vi.stubEnv('NO_PROXY', `REGISTRY.test:${port}`);
    await using mirror = await start({ host });
    expect([(await pullTag(mirror)).verdict, proxy.asked.length]).toEqual(['right', before]);
  });
});

describe('other replicas', () => {
  it('are never asked through a proxy', async () => {
    await using replica = await ScriptedUpstream.start();
    replica.on('*', /./, plain(404, ''));
    await using proxy = await ForwardProxy.start();
    for (const name of ['HTTP_PROXY', 'ALL_PROXY']) vi.stubEnv(name, proxy.url);
    const settings = Object.assign(new ServerSettings(), { peerNetworks: ['127.0.0.0/8'] });
    const client = new PeerClient(Names.here(), new SystemClock(), settings);
    const url = `http://replica.test:${replica.host.split(':')[1]}`;
    const repository = { namespace: Namespace.parse('registry.test'), name: 'team/app' } as never;
    const digest = Digest.parse(`sha256:${'a'.repeat(64)}`);
    await expect(client.openBlob({ url, follower: 'f', repository, digest })).rejects.toThrow('replica');
    expect([replica.count() > 0, proxy.asked]).toEqual([true, []]);
    client.onApplicationShutdown();
  });
});
