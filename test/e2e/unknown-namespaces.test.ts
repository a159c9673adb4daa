import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeImage } from '../fixtures/images.js';
import { Resolver } from '../../src/upstream/transport/resolver.js';
import { expectError } from './support/error-document.js';
import { Folder } from './support/folder.js';
import { Mirror } from './support/mirror.js';
import { MovingClock } from './support/moving-clock.js';
import { rawRequest } from './support/raw.js';
import { storedFiles } from './support/stored-files.js';

const image = makeImage();
const endpoints = [
  'manifests/1',
  `manifests/${image.manifest.digest}`,
  `blobs/${image.layers[0]!.digest}`,
  'tags/list',
  `referrers/${image.manifest.digest}`,
];

/** DNS as a test wants it, and what it was asked. */
class ScriptedResolver extends Resolver {
  readonly asked: string[] = [];

  /** @param addresses of every host; none means that no host exists. */
  constructor(private readonly addresses: readonly string[]) {
    super();
  }

  readonly lookup: LookupFunction = (hostname, _options, callback) => {
    this.asked.push(hostname);
    const found = this.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (found.length > 0) callback(null, found);
    else callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);
  };
}

describe('a registry that is not configured', () => {
  it('is not served when unknown ones are denied, and nobody looks for it', async () => {
    const resolver = new ScriptedResolver([]);
    await using mirror = await Mirror.start({ resolver, server: { unknownNamespaces: 'deny' } });
    for (const endpoint of endpoints) {
      for (const target of [`/v2/ghcr.test/team/app/${endpoint}`, `/v2/team/app/${endpoint}?ns=ghcr.test`]) {
        expectError(await rawRequest(mirror.url, target), 404, 'NAME_UNKNOWN');
        const head = await rawRequest(mirror.url, target, { method: 'HEAD' });
        expect([head.status, head.body.length]).toEqual([404, 0]);
      }
    }
    expect(resolver.asked).toEqual([]);
    expect(await storedFiles(mirror.root)).toEqual([]);
  });

  it('leaves those that are configured, and Docker Hub, served when unknown ones are denied', async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    const resolver = new ScriptedResolver([]);
    await using mirror = await Mirror.start({
      resolver,
      server: { unknownNamespaces: 'deny' },
      upstreams: [{ namespace: 'registry.test', host: registry.host }],
    });
    expect((await request(`${mirror.url}/v2/registry.test/team/app/manifests/1`)).status).toBe(200);
    // The name does not resolve here, which shows that it was asked for.
    await request(`${mirror.url}/v2/library/nginx/manifests/1`);
    expect(new Set(resolver.asked)).toEqual(new Set(['registry-1.docker.io']));
  });

  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '8.8.8.8',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[2606:4700:4700::1111]',
    'localhost',
    'LOCALHOST.',
    'intranet',
    'metadata',
    'ghcr.test:5000',
    'ghcr.test:80',
    '127.0.0.1:5000',
    'localhost:5000',
  ])('and is written as %s is not served, and nobody is asked', async (namespace) => {
    const resolver = new ScriptedResolver(['127.0.0.1']);
    await using mirror = await Mirror.start({ resolver });
    for (const endpoint of endpoints) {
      const reply = await rawRequest(mirror.url, `/v2/team/app/${endpoint}?ns=${namespace}`);
      expectError(reply, 404, 'NAME_UNKNOWN');
    }
    expect(resolver.asked).toEqual([]);
    expect(await storedFiles(mirror.root)).toEqual([]);
  });

  it('and does not exist is 404 within a second', async () => {
    const resolver = new ScriptedResolver([]);
    await using mirror = await Mirror.start({ resolver });
    for (const endpoint of endpoints) {
      const reply = await rawRequest(mirror.url, `/v2/nowhere.test/team/app/${endpoint}`);
      expectError(reply, 404, 'NAME_UNKNOWN');
    }
    expect(new Set(resolver.asked)).toEqual(new Set(['nowhere.test']));
    await mirror.settled();
    expect(await storedFiles(mirror.root)).toEqual([]);
  });

  it.each([
    [['127.0.0.1']],
    [['10.1.2.3']],
    [['169.254.169.254']],
    [['192.168.0.9', '10.0.0.1']],
    [['93.184.215.14', '127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['fd00::1']],
    [['fe80::1']],
    [['64:ff9b::7f00:1']],
  ])('and resolves to %s is refused without a connection', async (addresses) => {
    const resolver = new ScriptedResolver(addresses);
    await using mirror = await Mirror.start({ resolver });
    for (const endpoint of endpoints) {
      const reply = await rawRequest(mirror.url, `/v2/rebound.test/team/app/${endpoint}`);
      expectError(reply, 404, 'NAME_UNKNOWN');
      expect(reply.body.toString()).not.toMatch(
        new RegExp(addresses.map((text) => text.replaceAll('.', '\\.')).join('|')),
      );
    }
    await mirror.settled();
    expect(await storedFiles(mirror.root)).toEqual([]);
  });
});

describe('a configured registry whose name does not resolve', () => {
  const upstreams = [{ namespace: 'registry.test', host: 'registry.exmaple.test' }];
  const path = '/v2/registry.test/team/app/manifests/1';

  it('is 404 with that reason, where other names resolve', async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    const other = { namespace: 'other.test', host: `localhost:${registry.host.split(':')[1]!}` };
    const resolver = new FailingResolver('registry.exmaple.test');
    resolver.code = 'ENOTFOUND';
    await using mirror = await Mirror.start({ resolver, upstreams: [...upstreams, other] });
    // Nothing tells yet whether the name or the name service is wrong.
    expectError(await rawRequest(mirror.url, path), 503, 'UNAVAILABLE');
    expect((await request(`${mirror.url}/v2/other.test/team/app/manifests/1`)).status).toBe(200);
    for (const endpoint of endpoints) {
      const reply = await rawRequest(mirror.url, `/v2/registry.test/team/app/${endpoint}`);
      expectError(reply, 404, 'NAME_UNKNOWN');
      expect(reply.body.toString()).toContain('registry.exmaple.test cannot be resolved');
    }
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN'])('is an outage once it has responded (%s)', async (code) => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1', '2']);
    const [, port] = registry.host.split(':');
    const resolver = new FailingResolver();
    const host = `registry.example.test:${port}`;
    const clock = new MovingClock();
    await using mirror = await Mirror.start({ clock, resolver, upstreams: [{ namespace: 'registry.test', host }] });
    expect((await request(`${mirror.url}${path}`)).status).toBe(200);
    await mirror.settled();
    resolver.code = code;
    await registry.close();
    clock.pass(3600);
    const stored = await request(`${mirror.url}${path}`);
    expect([stored.status, stored.headers['x-cache']]).toEqual([200, 'STALE']);
    expectError(await rawRequest(mirror.url, '/v2/registry.test/team/app/manifests/2'), 503, 'UNAVAILABLE');
  });

  it('does not hide what is stored, not even after a restart', async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    await using folder = await Folder.make();
    const clock = new MovingClock();
    const host = `registry.example.test:${registry.host.split(':')[1]!}`;
    const options = { clock, root: folder.path, upstreams: [{ namespace: 'registry.test', host }] };
    {
      await using mirror = await Mirror.start({ ...options, resolver: new FailingResolver() });
      expect((await request(`${mirror.url}${path}`)).status).toBe(200);
    }
    clock.pass(3600);
    await using mirror = await Mirror.start({ ...options, resolver: new ScriptedResolver([]) });
    const stored = await request(`${mirror.url}${path}`);
    expect([stored.status, stored.headers['x-cache']]).toEqual([200, 'STALE']);
    const blob = await request(`${mirror.url}/v2/registry.test/team/app/manifests/${image.manifest.digest}`);
    expect([blob.status, blob.headers['x-cache']]).toEqual([200, 'HIT']);
    expectError(await rawRequest(mirror.url, '/v2/registry.test/team/app/manifests/2'), 503, 'UNAVAILABLE');
  });

  it('is an outage when the name service fails', async () => {
    const resolver = new FailingResolver();
    resolver.code = 'EAI_AGAIN';
    await using mirror = await Mirror.start({ resolver, upstreams });
    expectError(await rawRequest(mirror.url, path), 503, 'UNAVAILABLE');
  });
});

/** Everything is on this machine, until a code says that lookups fail. */
class FailingResolver extends Resolver {
  code: string | undefined;

  /** @param only the name whose lookups fail; absent: all. */
  constructor(private readonly only?: string) {
    super();
  }

  readonly lookup: LookupFunction = (hostname, _options, callback) => {
    const fails = this.only === undefined || this.only === hostname;
    if (this.code === undefined || !fails) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(Object.assign(new Error(`getaddrinfo ${this.code} ${hostname}`), { code: this.code }), []);
  };
}
