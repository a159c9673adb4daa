import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Mirror, type UpstreamOptions } from '../e2e/support/mirror.js';
import { Folder } from '../e2e/support/folder.js';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { ForwardProxy } from '../fakes/forward-proxy.js';
import { challenge, plain, redirect, ScriptedUpstream, type Script } from '../fakes/scripted-upstream.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { makeImage } from '../fixtures/images.js';
import { codeOf, pull } from './support/client.js';
import { Names } from './support/names.js';
import { expectNoSecrets } from './support/stored.js';

const image = makeImage({ layers: [100_000] });
const [layer] = image.layers;
const nothing = Buffer.alloc(0);

for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'])
  beforeEach(() => void vi.stubEnv(name, '').stubEnv(name.toLowerCase(), ''));
afterEach(() => void vi.unstubAllEnvs());

describe('behind a proxy', () => {
  it('a registry is pulled from through a tunnel, and never hears of the password of the proxy', async () => {
    await using folder = await Folder.make();
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    const tls = makeCertificate(['registry.test']);
    await writeFile(folder.file('ca.pem'), tls.cert);
    await using registry = await FakeRegistry.start({ tls, auth: 'basic' });
    registry.addImage('team/app', image, ['1']);
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const host = `registry.test:${registry.host.split(':')[1]}`;
    const upstream = { namespace: 'registry.test', host, tls: true, caFile: folder.file('ca.pem') };
    await using mirror = await Mirror.start({
      server: { logLevel: 'trace' },
      resolver: new Names(() => undefined),
      upstreams: [{ ...upstream, username: 'user', password: 'planted-password' }],
    });
    const url = `${mirror.url}/v2/registry.test/team/app`;
    const responses = [
      await pull(`${url}/manifests/1`, image.manifest.body),
      await pull(`${url}/blobs/${layer!.digest}`, layer!.body),
    ];
    expect(responses.map(({ verdict }) => verdict)).toEqual(['right', 'right']);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${host}`]));
    for (const { headers } of registry.requests) expect(JSON.stringify(headers)).not.toMatch(/proxy/i);
    await mirror.settled();
    await expectNoSecrets(mirror, responses);
  });

  it('a registry with plain http is asked through the proxy, which alone gets its password', async () => {
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    vi.stubEnv('HTTP_PROXY', proxy.url);
    await using mirror = await Mirror.start({
      server: { logLevel: 'trace' },
      resolver: new Names(() => undefined),
      upstreams: [{ namespace: 'registry.test', host: `registry.test:${registry.host.split(':')[1]}` }],
    });
    // The proxy looks the name up itself, and does not know it.
    const answer = await pull(`${mirror.url}/v2/registry.test/team/app/manifests/1`, nothing);
    expect(proxy.asked.length).toBeGreaterThan(0);
    expect([answer.verdict, answer.status >= 500]).toEqual(['refused', true]);
    await expectNoSecrets(mirror, [answer]);
  });

  it.each(['refuses the password', 'is not there'])('that %s nothing of it is told', async (failure) => {
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    const wrong = new URL(proxy.url);
    wrong.password = 'planted-wrong';
    if (failure === 'is not there') await proxy[Symbol.asyncDispose]();
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY']) vi.stubEnv(name, wrong.href);
    await using mirror = await Mirror.start({
      server: { logLevel: 'trace' },
      resolver: new Names(() => undefined),
      upstreams: [
        { namespace: 'registry.test', host: 'registry.test', tls: true },
        { namespace: 'plain.test', host: 'plain.test' },
      ],
    });
    const responses = await Promise.all(
      ['registry.test', 'plain.test'].map((name) => pull(`${mirror.url}/v2/${name}/team/app/manifests/1`, nothing)),
    );
    expect(responses.map(({ verdict }) => verdict)).toEqual(['refused', 'refused']);
    await expectNoSecrets(mirror, responses);
  });

  it('a registry that nobody configured is not asked for, unless it is allowed', async () => {
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const resolver = new Names(() => undefined);
    await using mirror = await Mirror.start({ resolver, server: { allowNamespaces: ['allowed.test'] } });
    const denied = await pull(`${mirror.url}/v2/ghcr.test/team/app/manifests/1`, nothing);
    expect([denied.status, codeOf(denied), proxy.asked]).toEqual([404, 'NAME_UNKNOWN', []]);
    await pull(`${mirror.url}/v2/allowed.test/team/app/manifests/1`, nothing);
    expect([proxy.asked[0], resolver.asked]).toEqual(['CONNECT allowed.test:443', []]);
  });

  it('a registry that the proxy is not used for is checked for its address', async () => {
    await using proxy = await ForwardProxy.start({ asksForPassword: true });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', '.direct.test');
    const resolver = Names.here();
    await using mirror = await Mirror.start({ resolver });
    const answer = await pull(`${mirror.url}/v2/a.direct.test/team/app/manifests/1`, nothing);
    expect([answer.status, codeOf(answer)]).toEqual([404, 'NAME_UNKNOWN']);
    expect([resolver.asked, proxy.asked]).toEqual([['a.direct.test'], []]);
  });

  // What decides whether the proxy is used and what checks the address must never be of two minds.
  it.each([
    ['127.0.0.1', 'localhost'],
    ['127.0.0.1', 'localhost.'],
    ['localhost', 'localhost.'],
    ['.corp.test', 'wiki.corp.test.'],
    ['*.corp.test', 'wiki.corp.test.'],
    ['wiki.corp.test', 'wiki.corp.test.'],
    ['wiki.corp.test.', 'wiki.corp.test'],
    ['*, other.test', 'wiki.corp.test'],
  ])('with NO_PROXY=%s a redirect to %s reaches nobody', async (exempt, name) => {
    await using upstream = await ScriptedUpstream.start();
    await using inside = await ScriptedUpstream.start();
    inside.on('*', /./, plain(200, 'an internal page'));
    const target = `http://${name}:${inside.host.split(':')[1]}/secret`;
    upstream.on('*', /./, redirect(target));
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9');
    vi.stubEnv('NO_PROXY', exempt);
    const names = new Names((asked) => (asked === 'registry.corp' ? undefined : ['127.0.0.1']));
    await using mirror = await Mirror.start({
      resolver: names,
      upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    });
    vi.stubEnv('NO_PROXY', `${upstream.host},${exempt}`);
    const answer = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer!.digest}`, nothing);
    expect(upstream.count()).toBeGreaterThan(0);
    expect([answer.verdict, inside.connections]).toEqual(['refused', 0]);
  });
});

/** Both ways in which a registry names another host. */
const references: Record<string, (url: string) => Script> = {
  redirect: (url) => redirect(url),
  realm: (url) => challenge(`Bearer realm="${url}",service="s"`),
};

describe.each(Object.entries(references))('behind a proxy, a %s of a configured registry', (_, refer) => {
  /** What the proxy was asked for besides the registry, which refers to `url`. */
  async function askedFor(url: string, resolver: Names, settings: UpstreamOptions = {}) {
    await using proxy = await ForwardProxy.start({
      asksForPassword: true,
      hosts: { 'registry.corp.example': '127.0.0.1' },
    });
    await using upstream = await ScriptedUpstream.start();
    upstream.on('*', /./, refer(url));
    vi.stubEnv('HTTP_PROXY', proxy.url);
    const host = `registry.corp.example:${upstream.host.split(':')[1]}`;
    await using mirror = await Mirror.start({
      resolver,
      upstreams: [{ namespace: 'registry.test', host, ...settings }],
    });
    const outcome = await pull(`${mirror.url}/v2/registry.test/team/app/blobs/${layer!.digest}`, nothing);
    expect([outcome.verdict, upstream.count() > 0]).toEqual(['refused', true]);
    const others = proxy.asked.filter((asked) => !asked.includes(host)).map((asked) => asked.split('?')[0]);
    return { status: outcome.status, asked: [...new Set(others)], text: outcome.body.toString() };
  }

  const inside = new Names((name) => (name === 'inside.corp.test' ? ['10.1.2.3'] : undefined));

  it.each([
    'http://intranet.corp.test/x',
    'http://inside.corp.test/x',
    'http://localhost:9200/x',
    'http://localhost./x',
    'http://127.0.0.1:9200/x',
    'http://[::1]/x',
    'http://169.254.169.254/latest/meta-data',
    'http://metadata/x',
    'http://corp.example.evil.test/x',
  ])('to %s is not followed', async (url) => {
    const { status, asked } = await askedFor(url, inside);
    expect([status, asked]).toEqual([502, []]);
  });

  it('is refused alike whether the name is private here or does not exist', async () => {
    const [known, unknown] = ['inside', 'absent'].map((name) => `http://${name}.corp.test/x`);
    const textOf = async (url: string) => (await askedFor(url, inside)).text.replaceAll(/:\d+/g, '');
    expect(await textOf(unknown!)).toBe((await textOf(known!)).replaceAll('inside', 'absent'));
  });

  it('is not followed to a name that has a private address among its public ones', async () => {
    const mixed = new Names(() => ['2d00::1', '10.0.0.1']);
    expect((await askedFor('http://mixed.test/x', mixed)).asked).toEqual([]);
  });

  it('is followed to a name that resolves to public addresses here', async () => {
    const resolver = new Names((name) => (name === 'cdn.public.test' ? ['2d00::1'] : undefined));
    expect((await askedFor('http://cdn.public.test/x', resolver)).asked).toEqual(['GET http://cdn.public.test/x']);
  });

  it('is followed on the registrable domain of the registry, at its usual port', async () => {
    const url = 'http://cdn.corp.example/x';
    expect((await askedFor(url, inside)).asked).toEqual([`GET ${url}`]);
    expect((await askedFor('http://cdn.corp.example:9200/x', inside)).asked).toEqual([]);
  });

  it('is followed to a listed host and port', async () => {
    const lists = { redirectHosts: ['cdn.elsewhere.test:8080'], tokenRealms: ['auth.elsewhere.test'] };
    for (const url of ['http://cdn.elsewhere.test:8080/x', 'http://auth.elsewhere.test/x'])
      expect((await askedFor(url, inside, lists)).asked).toEqual([`GET ${url}`]);
    expect((await askedFor('http://cdn.elsewhere.test/x', inside, lists)).asked).toEqual([]);
  });
});
