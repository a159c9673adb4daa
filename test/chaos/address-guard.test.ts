import net, { type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Mirror, type UpstreamOptions } from '../e2e/support/mirror.js';
import { challenge, redirect, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { makeBlob } from '../fixtures/images.js';
import { codeOf, pull, type Outcome } from './support/client.js';
import { Names } from './support/names.js';

const blob = makeBlob(1000, 'guard');

/** Addresses that no name of a stranger may lead to, with what they are. */
const addresses: Record<string, string> = {
  '0.0.0.0': 'this host',
  '0.1.2.3': 'this network',
  '10.0.0.1': 'private',
  '10.255.255.255': 'private',
  '100.64.0.1': 'carrier-grade NAT',
  '100.127.255.255': 'carrier-grade NAT',
  '127.0.0.1': 'loopback',
  '127.0.0.53': 'loopback',
  '127.255.255.254': 'loopback',
  '169.254.0.1': 'link-local',
  '169.254.169.254': 'cloud metadata',
  '169.254.170.2': 'container metadata',
  '172.16.0.1': 'private',
  '172.31.255.255': 'private',
  '192.0.0.1': 'protocol assignments',
  '192.0.0.192': 'Oracle metadata',
  '192.0.2.1': 'documentation',
  '192.88.99.1': '6to4 relay',
  '192.168.0.1': 'private',
  '198.18.0.1': 'benchmarking',
  '198.19.255.255': 'benchmarking',
  '198.51.100.7': 'documentation',
  '203.0.113.9': 'documentation',
  '224.0.0.1': 'multicast',
  '239.255.255.250': 'multicast',
  '240.0.0.1': 'reserved',
  '255.255.255.255': 'broadcast',
  '::': 'unspecified',
  '::1': 'loopback',
  '::7f00:1': 'compatible with IPv4',
  '::ffff:127.0.0.1': 'mapped loopback',
  '::ffff:10.0.0.1': 'mapped private',
  '::ffff:a9fe:a9fe': 'mapped metadata',
  '::ffff:8.8.8.8': 'mapped public',
  '::ffff:0:127.0.0.1': 'translated loopback',
  '64:ff9b::7f00:1': 'NAT64 loopback',
  '64:ff9b::a9fe:a9fe': 'NAT64 metadata',
  '64:ff9b:1::1': 'local NAT64',
  '100::1': 'discard',
  '2001::1': 'Teredo',
  '2001:0:7f00:1::': 'Teredo',
  '2001:10::1': 'ORCHID',
  '2001:20::1': 'ORCHIDv2',
  '2001:db8::1': 'documentation',
  '2002:7f00:1::': '6to4 loopback',
  '2002:a00:1::1': '6to4 private',
  '2002:a9fe:a9fe::1': '6to4 metadata',
  '3fff::1': 'documentation',
  '5f00::1': 'segment routing',
  'fc00::1': 'unique local',
  'fd00:ec2::254': 'AWS metadata',
  'fd12:3456:789a::1': 'unique local',
  'fe80::1': 'link-local',
  'fe80::a9fe:a9fe': 'link-local',
  'fec0::1': 'site-local',
  'ff02::1': 'multicast',
  'ff0e::1': 'multicast',
};

/** Hosts that are addresses in disguise: what URLs and resolvers make of them differs. */
const spellings = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0x7f.1',
  '0177.0.0.1',
  '127.0.0.1.',
  '0',
  '0.0.0.0',
  '①②⑦.0.0.1',
  '127。0。0。1',
  '%31%32%37.0.0.1',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:7f00:0001]',
  '[::127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[2002:7f00:1::]',
];

/** Accepts on every address of this machine, and counts. */
class Bait implements AsyncDisposable {
  connections = 0;

  private constructor(private readonly server: net.Server) {
    server.on('connection', (socket) => {
      this.connections += 1;
      socket.destroy();
    });
  }

  static async lay(): Promise<Bait> {
    const bait = new Bait(net.createServer());
    bait.server.listen(0, '::');
    await once(bait.server, 'listening').catch(() => bait.server.listen(0, '0.0.0.0'));
    return bait;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Both ways in which an upstream can send the mirror somewhere. */
const ways: Record<string, (url: string) => ReturnType<typeof redirect>> = {
  redirect: (url) => redirect(url),
  realm: (url) => challenge(`Bearer realm="${url}",service="s"`),
};

/** Where the mirror goes, and what a client is told, when a configured upstream sends it to places of a stranger. */
async function sendTo(
  way: keyof typeof ways,
  urls: readonly string[],
  resolver: Names,
  settings: UpstreamOptions = {},
): Promise<Outcome[]> {
  await using upstream = await ScriptedUpstream.start();
  await using mirror = await Mirror.start({
    resolver,
    upstreams: [{ namespace: 'registry.test', host: upstream.host, ...settings }],
  });
  return await Promise.all(
    urls.map((url, index) => {
      upstream.on('*', `/v2/app${index}/blobs/${blob.digest}`, ways[way]!(url));
      return pull(`${mirror.url}/v2/registry.test/app${index}/blobs/${blob.digest}`, blob.body);
    }),
  );
}

const nameOf = (index: number) => `name-${index}.stranger.example`;
const list = Object.keys(addresses);
const names = () => new Names((name) => list.filter((_, index) => nameOf(index) === name));

describe('a namespace that nobody configured', () => {
  it(`is refused when its name leads to any of ${list.length} addresses that are not public`, async () => {
    const resolver = names();
    await using mirror = await Mirror.start({ resolver });
    const outcomes = await Promise.all(
      list.map((_, index) => pull(`${mirror.url}/v2/${nameOf(index)}/app/blobs/${blob.digest}`, blob.body)),
    );
    for (const [index, outcome] of outcomes.entries())
      expect([list[index], outcome.status, codeOf(outcome)]).toEqual([list[index], 404, 'NAME_UNKNOWN']);
    expect(new Set(resolver.asked).size).toBe(list.length);
    // What the address is, is nobody's business.
    for (const outcome of outcomes)
      for (const address of list.filter(({ length }) => length > 6))
        expect(outcome.body.toString()).not.toContain(address);
  });

  it('is refused when one of several addresses is not public', async () => {
    const resolver = new Names((name) =>
      name.startsWith('first') ? ['10.0.0.1', '2d00::1'] : ['2d00::1', '10.0.0.1'],
    );
    await using mirror = await Mirror.start({ resolver });
    for (const host of ['first.stranger.example', 'last.stranger.example']) {
      const outcome = await pull(`${mirror.url}/v2/${host}/app/manifests/latest`, blob.body);
      expect([outcome.status, codeOf(outcome)]).toEqual([404, 'NAME_UNKNOWN']);
    }
  });

  it('is refused without a question to the DNS when it is an address or no public name', async () => {
    const resolver = Names.here();
    await using mirror = await Mirror.start({ resolver });
    const hosts = [
      ...spellings,
      'localhost',
      'localhost:8080',
      'LOCALHOST',
      'localhost.',
      '169.254.169.254',
      '[fe80::1]',
    ];
    const more = ['10.0.0.1:443', 'metadata:80', 'registry.example:5000', 'a.0x7f', '1.2.3'];
    for (const host of [...hosts, ...more]) {
      for (const url of [
        `v2/app/manifests/latest?ns=${encodeURIComponent(host)}`,
        `v2/${encodeURIComponent(host)}/app/manifests/latest`,
      ]) {
        const outcome = await pull(`${mirror.url}/${url}`, blob.body);
        // A first component that is no host is part of a name of the default namespace.
        const isName = !url.includes('ns=') && !/[.:]|^localhost$/i.test(host);
        if (!isName)
          expect([host, outcome.verdict, outcome.status >= 400 && outcome.status < 405]).toEqual([
            host,
            'refused',
            true,
          ]);
      }
    }
    expect(resolver.asked.filter((name) => !name.endsWith('docker.io'))).toEqual([]);
  });

  it('is refused with the same response whether its name does not exist or is private, however often; the log differs', async () => {
    const resolver = new Names((name) => (name === 'one.stranger.example' ? ['10.0.0.1'] : undefined));
    await using mirror = await Mirror.start({ resolver });
    const seen = async (host: string) => {
      const { status, headers, body } = await pull(
        `${mirror.url}/v2/${host}.stranger.example/app/tags/list`,
        blob.body,
      );
      return [status, Object.keys(headers).sort(), body.toString().replaceAll(host, 'NAME')];
    };
    for (let round = 0; round < 5; round += 1) expect(await seen('two')).toEqual(await seen('one'));
    expect(mirror.log).toContain('one.stranger.example is not at a public address');
    expect(mirror.log).toContain('two.stranger.example cannot be resolved');
    expect(resolver.asked).toContain('one.stranger.example');
  });

  it('is unknown when its name does not exist', async () => {
    await using mirror = await Mirror.start({ resolver: new Names(() => undefined) });
    const outcome = await pull(`${mirror.url}/v2/nowhere.example/app/manifests/latest`, blob.body);
    expect([outcome.verdict, outcome.status, codeOf(outcome)]).toEqual(['refused', 404, 'NAME_UNKNOWN']);
  });

  it('is asked for its address at every connection, and gains nothing by changing it', async () => {
    let responses = 0;
    // The first address is public and leads nowhere: nobody has been given it.
    const resolver = new Names(() => [(responses += 1) === 1 ? '2d00::1' : '127.0.0.1']);
    await using mirror = await Mirror.start({ resolver });
    const url = `${mirror.url}/v2/rebinding.example/app/manifests/latest`;
    expect([503, 504]).toContain((await pull(url, blob.body)).status);
    for (let round = 0; round < 3; round += 1) {
      const outcome = await pull(url, blob.body);
      if (outcome.status === 503) break;
      expect([outcome.status, codeOf(outcome)]).toEqual([404, 'NAME_UNKNOWN']);
    }
    expect(resolver.asked.length).toBeGreaterThan(1);
  });
});

describe.each(Object.keys(ways))('a %s of a configured registry (CVE-2026-0600 of Nexus)', (way) => {
  it('leads to no name with an address that is not public', async () => {
    await using bait = await Bait.lay();
    const outcomes = await sendTo(
      way,
      list.map((_, index) => `http://${nameOf(index)}:${bait.port}/x`),
      names(),
    );
    expect(outcomes.map(({ verdict, status }) => `${verdict} ${status}`)).toEqual(list.map(() => 'refused 502'));
    expect(bait.connections).toBe(0);
  });

  it('leads to no address that is not public, however it is spelled', async () => {
    await using bait = await Bait.lay();
    const hosts = [
      ...spellings,
      ...list.filter((address) => !address.includes(':')),
      ...list.filter((address) => address.includes(':')).map((address) => `[${address}]`),
    ];
    const outcomes = await sendTo(
      way,
      hosts.map((host) => `http://${host}:${bait.port}/x`),
      Names.here(),
    );
    expect(outcomes.map(({ verdict, status }, index) => `${hosts[index]} ${verdict} ${status}`)).toEqual(
      hosts.map((host) => `${host} refused 502`),
    );
    expect(bait.connections).toBe(0);
  });

  it('is refused with the same response whether the name does not exist or is private', async () => {
    const resolver = new Names((name) => (name === 'one.stranger.example' ? ['10.0.0.1'] : undefined));
    const urls = ['one', 'two'].map((name) => `http://${name}.stranger.example/x`);
    const [known, unknown] = await sendTo(way, urls, resolver);
    expect([unknown!.status, unknown!.body.toString().replace('two.', 'one.')]).toEqual([
      known!.status,
      known!.body.toString(),
    ]);
  });

  it('leads to no name that changes its address, not even after it was public', async () => {
    await using bait = await Bait.lay();
    let responses = 0;
    const resolver = new Names(() => [(responses += 1) % 2 === 1 ? '2d00::1' : '127.0.0.1']);
    const urls = Array.from({ length: 6 }, (_, index) => `http://rebinding.example:${bait.port}/${index}`);
    const outcomes = await sendTo(way, urls, resolver);
    for (const { verdict } of outcomes) expect(verdict).toBe('refused');
    expect(resolver.asked.length).toBeGreaterThan(1);
    expect(bait.connections).toBe(0);
  });

  it('does lead to a private address that the operator lists with its port, and to no other port of that host', async () => {
    await using bait = await Bait.lay();
    const urls = [`http://listed.example:${bait.port}/x`];
    const redirectHosts = ['listed.example', 'listed.example:1', `other.example:${bait.port}`];
    await sendTo(way, urls, Names.here(), { redirectHosts });
    expect(bait.connections).toBe(0);
    await sendTo(way, urls, Names.here(), { redirectHosts: [`listed.example:${bait.port}`] });
    expect(bait.connections).toBeGreaterThan(0);
  });
});
