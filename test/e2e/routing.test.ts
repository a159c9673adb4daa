import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { makeImage, type FixtureImage } from '../fixtures/images.js';
import { Mirror } from './support/mirror.js';
import { MovingClock } from './support/moving-clock.js';

type Shape = (namespace: string, name: string) => (endpoint: string) => string;

/** The five ways in which clients name a registry (clients.md §1.0); the third comes with and without `ns`. */
const shapes: Record<string, Shape> = {
  'ns query': (namespace, name) => (endpoint) => `/v2/${name}/${endpoint}?ns=${namespace}`,
  'host prefix': (namespace, name) => (endpoint) => `/v2/${namespace}/${name}/${endpoint}`,
  'host before v2': (namespace, name) => (endpoint) => `/${namespace}/v2/${name}/${endpoint}`,
  'host before v2 and ns': (namespace, name) => (endpoint) => `/${namespace}/v2/${name}/${endpoint}?ns=${namespace}`,
  'prefix and ns': (namespace, name) => (endpoint) => `/v2/${namespace}/${name}/${endpoint}?ns=${namespace}`,
};
const bare: Shape = (_, name) => (endpoint) => `/v2/${name}/${endpoint}`;

const names = [
  'a',
  'a/b',
  'a/b/c',
  'a/b/c/d',
  'a/b/c/d/e',
  'a/b/c/d/e/f',
  'a/b/c/d/e/f/g',
  'a/b/c/d/e/f/g/h',
  'blobs',
  'manifests',
  'tags',
  'v2',
  'referrers',
  'list',
  'v2/v2/v2',
  'team/v2/app',
  'blobs/manifests/tags/list',
  'team/tags/list',
  'team/manifests/latest',
  'team/blobs/uploads',
  'team/referrers',
  'team/a.b/c_d/e__f/g-h/i---j',
  'team/registry.test/app',
  'x.y_z/app',
  `${'a'.repeat(64)}.b/app`,
  `team/${'long-'.repeat(49)}name`,
];

/** What is asked for in every shape, in an order in which each question but the last of a kind needs the upstream. */
const endpointsOf = ({ manifest, layers }: FixtureImage, tag: string) => [
  `manifests/${manifest.digest}`,
  `manifests/${tag}`,
  `blobs/${layers[0]!.digest}`,
  'tags/list',
  `referrers/${manifest.digest}`,
];

/** The upstream requests of one image's endpoints, each asked for with HEAD and then with GET. */
const upstreamOf = (name: string, image: FixtureImage, tag: string) => {
  const [digest, byTag, blob, tags, referrers] = endpointsOf(image, tag).map((endpoint) => `/v2/${name}/${endpoint}`);
  return [
    `HEAD ${digest!}`,
    `GET ${digest!}`,
    // The tag's manifest is stored by now.
    `HEAD ${byTag!}`,
    `HEAD ${blob!}`,
    `GET ${blob!}`,
    `GET ${tags!}`,
    `GET ${referrers!}`,
  ];
};

/** Everything a registry was asked, once each. */
const asked = (registry: FakeRegistry) => [...new Set(registry.requests.map(({ method, url }) => `${method} ${url}`))];

describe('the repository that a URL is about', () => {
  it.each(names)('is %s of the right registry, in every shape, by every endpoint and method', async (name) => {
    await using registry = await FakeRegistry.start();
    await using other = await FakeRegistry.start();
    const clock = new MovingClock();
    await using mirror = await Mirror.start({
      clock,
      server: { defaultNamespace: 'registry.test' },
      upstreams: [
        { namespace: 'registry.test', host: registry.host },
        { namespace: 'docker.io', host: other.host },
        { namespace: 'registry.test:5000', host: other.host },
      ],
    });
    const all = Object.entries({ ...shapes, bare });
    const images = all.map(([shape], index) => ({
      image: makeImage({ seed: shape, layers: [16] }),
      tag: `1.${index}`,
    }));
    for (const { image, tag } of images) registry.addImage(name, image, [tag]);

    for (const [index, [shape, targets]] of all.entries()) {
      const { image, tag } = images[index]!;
      registry.reset();
      for (const endpoint of endpointsOf(image, tag)) {
        for (const method of ['HEAD', 'GET']) {
          const reply = await request(`${mirror.url}${targets('registry.test', name)(endpoint)}`, { method });
          expect([reply.status, reply.headers['oci-namespace']], `${method} ${endpoint} by ${shape}`).toEqual([
            200,
            'registry.test',
          ]);
        }
        await mirror.settled();
      }
      expect(asked(registry), shape).toEqual(upstreamOf(name, image, tag));
      // Lists are kept for half a minute.
      clock.pass(60);
    }

    registry.reset();
    // Each shape finds what the one before it brought.
    for (const [index, [shape, targets]] of all.entries()) {
      const { image, tag } = images.at(index - 1)!;
      for (const endpoint of endpointsOf(image, tag).slice(0, 3)) {
        const reply = await request(`${mirror.url}${targets('registry.test', name)(endpoint)}`);
        expect([reply.status, reply.headers['x-cache']], `${endpoint} by ${shape}`).toEqual([200, 'HIT']);
      }
    }
    expect(asked(registry)).toEqual([]);
    expect(other.requests).toEqual([]);
  });

  it.each([
    ['registry.test', ['REGISTRY.Test', 'registry.test.', 'registry.test:443', 'Registry.TEST.:443']],
    ['docker.io', ['Docker.IO', 'docker.io.', 'docker.io:443', 'index.docker.io', 'registry-1.docker.io:443']],
    ['registry.test:5000', ['Registry.Test:5000', 'registry.test.:5000', 'registry.test:05000']],
    ['localhost', ['LocalHost', 'localhost.', 'localhost:443']],
    ['localhost:5000', ['LOCALHOST:5000']],
    ['intranet', ['Intranet', 'intranet.', 'intranet:443']],
    ['10.0.0.7:5000', ['10.0.0.7:05000']],
    ['[fd00::7]:5000', ['[FD00::7]:5000']],
  ])('belongs to %s under each of its spellings', async (namespace, spellings) => {
    await using registry = await FakeRegistry.start();
    const image = makeImage({ layers: [16] });
    registry.addImage('team/app', image, ['1']);
    await using other = await FakeRegistry.start();
    await using mirror = await Mirror.start({
      server: { defaultNamespace: 'default.test' },
      upstreams: [
        { namespace: 'default.test', host: other.host },
        { namespace, host: registry.host },
      ],
    });
    for (const spelling of [namespace, ...spellings, ...spellings.map((text) => encodeURIComponent(text))]) {
      for (const [shape, targets] of Object.entries(shapes)) {
        for (const endpoint of endpointsOf(image, '1').slice(0, 3)) {
          const reply = await request(`${mirror.url}${targets(spelling, 'team/app')(endpoint)}`);
          expect([reply.status, reply.headers['oci-namespace']], `${spelling} by ${shape}`).toEqual([200, namespace]);
        }
      }
    }
    await mirror.settled();
    expect(asked(registry)).toEqual(
      endpointsOf(image, '1')
        .slice(0, 3)
        .map((endpoint) => `GET /v2/team/app/${endpoint}`),
    );
    expect(other.requests).toEqual([]);
  });

  it('is an official image of Docker Hub with and without its library/', async () => {
    await using hub = await FakeRegistry.start();
    const image = makeImage({ layers: [16] });
    hub.addImage('library/nginx', image, ['1']);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'docker.io', host: hub.host }] });
    for (const name of ['nginx', 'library/nginx']) {
      for (const targets of [bare, ...Object.values(shapes)]) {
        for (const endpoint of endpointsOf(image, '1')) {
          const reply = await request(`${mirror.url}${targets('docker.io', name)(endpoint)}`);
          expect([reply.status, reply.headers['oci-namespace']]).toEqual([200, 'docker.io']);
        }
      }
    }
    await mirror.settled();
    expect(new Set(hub.requests.map(({ repository }) => repository))).toEqual(new Set(['library/nginx']));
    expect(hub.count({ kind: 'manifest' })).toBe(2);
    expect(hub.count({ method: 'GET', kind: 'blob' })).toBe(1);
  });

  it('keeps the same name at two registries apart', async () => {
    await using one = await FakeRegistry.start();
    await using two = await FakeRegistry.start();
    const images = [makeImage({ seed: 'one' }), makeImage({ seed: 'two' })] as const;
    one.addImage('team/app', images[0], ['1']);
    two.addImage('team/app', images[1], ['1']);
    await using mirror = await Mirror.start({
      upstreams: [
        { namespace: 'registry.test', host: one.host },
        { namespace: 'registry.test:5000', host: two.host },
      ],
    });
    for (const round of ['MISS', 'HIT']) {
      for (const [index, namespace] of ['registry.test', 'registry.test:5000'].entries()) {
        const reply = await request(`${mirror.url}/v2/team/app/manifests/1?ns=${namespace}`);
        expect(reply.headers).toMatchObject({
          'x-cache': round,
          'docker-content-digest': images[index]!.manifest.digest,
        });
      }
    }
    const foreign = await request(`${mirror.url}/v2/team/app/manifests/${images[1].manifest.digest}?ns=registry.test`);
    expect(foreign.status).toBe(404);
  });

  it('loses the host once, and keeps a component of the name that looks like one', async () => {
    await using registry = await FakeRegistry.start();
    for (const name of ['registry.test/app', 'other.test/app', 'app'])
      registry.addImage(name, makeImage({ seed: name }), ['1']);
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
    const cases: [string, string][] = [
      ['/v2/registry.test/registry.test/app/manifests/1', 'registry.test/app'],
      ['/v2/registry.test/registry.test/app/manifests/1?ns=registry.test', 'registry.test/app'],
      ['/v2/other.test/app/manifests/1?ns=registry.test', 'other.test/app'],
      ['/registry.test/v2/other.test/app/manifests/1', 'other.test/app'],
      ['/v2/app/manifests/1?ns=registry.test', 'app'],
      ['/v2/Registry.Test./app/manifests/1?ns=registry.test:443', 'app'],
    ];
    for (const [target, name] of cases) {
      const reply = await request(`${mirror.url}${target}`);
      expect(reply.headers['docker-content-digest'], target).toBe(makeImage({ seed: name }).manifest.digest);
    }
  });

  it.each(['/v2', '/v2/', '/registry.test/v2', '/registry.test/v2/', '/docker.io/v2/', '/%72egistry.test/v2/?ns=x'])(
    'is none for the version check at %s, which is answered here',
    async (target) => {
      await using registry = await FakeRegistry.start();
      await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host: registry.host }] });
      for (const method of ['GET', 'HEAD']) {
        const reply = await request(`${mirror.url}${target}`, { method });
        expect([reply.status, reply.headers['docker-distribution-api-version']]).toEqual([200, 'registry/2.0']);
      }
      expect(registry.requests).toEqual([]);
    },
  );

  it('is of the default registry when ns is there and empty', async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', makeImage(), ['1']);
    await using mirror = await Mirror.start({
      server: { defaultNamespace: 'registry.test' },
      upstreams: [{ namespace: 'registry.test', host: registry.host }],
    });
    expect((await request(`${mirror.url}/v2/team/app/manifests/1?ns=`)).headers['oci-namespace']).toBe('registry.test');
  });
});
