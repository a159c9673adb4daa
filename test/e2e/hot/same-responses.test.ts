import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { Twins } from './support/twins.js';

const image = makeImage({ layers: [20_000], seed: 'hot' });
const { digest } = image.manifest;
const small = image.layers[0]!.digest;
const large = makeBlob(200_000, 'large');
const other = `sha256:${'0'.repeat(64)}`;

let twins: Twins;
beforeAll(async () => {
  twins = await warmTwins();
});
afterAll(() => twins[Symbol.asyncDispose]());

/** Both have what there is, and have served it. */
async function warmTwins(paths: readonly string[] = Object.values(targets)): Promise<Twins> {
  const started = await Twins.start(() => ({
    server: { defaultNamespace: 'registry.test' },
    hosted: [{ namespace: 'local' }, { namespace: 'own.test' }],
  }));
  started.registry.addImage('team/app', image, ['1']);
  started.registry.addBlob('team/app', large);
  for (let time = 0; time < 3; time += 1) {
    for (const target of paths)
      for (const method of ['GET', 'HEAD']) await started.expectSame(line(method, target) + plain);
    for (const mirror of started.both) await mirror.settled();
  }
  return started;
}

const app = '/v2/registry.test/team/app';
const targets = {
  tag: `${app}/manifests/1`,
  digest: `${app}/manifests/${digest}`,
  'small blob': `${app}/blobs/${small}`,
  config: `${app}/blobs/${image.config.digest}`,
  'large blob': `${app}/blobs/${large.digest}`,
  'ns parameter': '/v2/team/app/manifests/1?ns=registry.test',
  'host before': '/registry.test/v2/team/app/manifests/1',
  'both names': '/v2/registry.test/team/app/manifests/1?ns=registry.test',
  'encoded name': '/v2/registry.test/team%2Fapp/manifests/1',
  'encoded letter': '/v2/registry.test/te%61m/app/manifests/1',
  query: `${app}/manifests/1?x=y&n=1`,
  'absolute form': `http://m${app}/manifests/1`,
  missing: `${app}/manifests/absent`,
  'no such blob': `${app}/blobs/${other}`,
  'default namespace': '/v2/team/app/manifests/1',
  list: `${app}/tags/list`,
  base: '/v2/',
};

const line = (method: string, target: string, version = '1.1') => `${method} ${target} HTTP/${version}\r\n`;
const plain = 'host: m\r\nx-request-id: plain\r\n\r\n';

const headers = [
  `if-none-match: "${digest}"`,
  `if-none-match: "${small}"`,
  `If-None-Match: W/"${digest}", "x"`,
  'if-none-match: *',
  `if-none-match: ${digest}`,
  `if-none-match: "${other}"`,
  'if-none-match:',
  'range: bytes=0-9',
  'Range: bytes=5-',
  'range: nonsense',
  `if-range: "${small}"`,
  'expect: nothing',
  'content-length: 0',
  'content-type: nonsense',
  'connection: close',
  'Connection: keep-alive',
  'connection: upgrade',
  'upgrade: websocket',
  'host: other',
  'host: own.test',
  'HOST: registry.test',
  'x-request-id: given.1',
  'x-request-id: not valid',
  'X-Request-Id: given.2',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'oci-registry-follower: http://10.0.0.1:1',
  'authorization: Bearer nonsense',
  'authorization: Basic bm9ib2R5Om5vdGhpbmc=',
  'accept: text/html',
  'accept: application/vnd.oci.image.index.v1+json',
  'accept-encoding: gzip',
  'accept-version: 2.x',
  'x-forwarded-for: 192.0.2.1',
  'x-forwarded-proto: https',
  'cookie: a=b',
  'origin: http://evil.test',
  'te: trailers',
] as const;

/** What Node's parser refuses: behind it, a connection has no other request. */
const malformed = [`x-long: ${'x'.repeat(20_000)}`, 'x-bad: \u0001', ': nameless', 'transfer-encoding: nonsense'];

describe('a response before the framework', () => {
  it('is the usual one for a plain request', async () => {
    const before = twins.count;
    for (const target of [targets.tag, targets.digest, targets['small blob'], targets['ns parameter']])
      await twins.expectSame(line('GET', target) + plain);
    for (const target of [targets.tag, targets.digest, targets['host before'], targets['encoded letter']])
      await twins.expectSame(line('HEAD', target) + plain);
    expect(twins.count - before).toBe(8);
  });

  it('is 304 for who has it, and counts as such', async () => {
    const before = twins.count;
    for (const method of ['GET', 'HEAD'])
      for (const target of [targets.tag, targets.digest]) {
        const said = await twins.expectSame(`${line(method, target)}if-none-match: "${digest}"\r\n${plain}`);
        expect(said).toMatch(/^HTTP\/1\.1 304 /);
        expect(said.split('\r\n\r\n')[0]).not.toMatch(/^content-/m);
      }
    expect(twins.count - before).toBe(4);
  });

  it('is 304 from the second time on for who only ever asks whether there is another', async () => {
    const requests = ['GET', 'HEAD'].map((method) => {
      const shape = line(method, `/registry.test/v2/team/app/manifests/${digest}`);
      return `${shape}if-none-match: "${digest}"\r\n${plain}`;
    });
    const fresh = await warmTwins([targets.base]);
    await fresh.hot.request.get(targets.digest);
    await fresh.framework.request.get(targets.digest);
    const before = fresh.count;
    for (let time = 0; time < 3; time += 1) for (const bytes of requests) await fresh.expectSame(bytes);
    expect(fresh.count - before).toBe(4);
    const [, body] = (await fresh.expectSame(line('GET', targets.digest) + plain)).split('\r\n\r\n');
    expect(body!.startsWith(image.manifest.body.toString())).toBe(true);
    await fresh[Symbol.asyncDispose]();
  });

  it.each([...headers, ...malformed])('is the same as from the framework with %.30s', async (header) => {
    for (const [name, target] of Object.entries(targets))
      if (['tag', 'small blob', 'default namespace', 'base'].includes(name))
        for (const method of ['GET', 'HEAD']) await twins.expectSame(`${line(method, target)}${header}\r\n${plain}`);
  });

  it.each([
    ['no Host', 'x: y\r\n\r\n'],
    ['two Hosts', `host: m\r\n${plain}`],
    ['a body', 'host: m\r\ncontent-length: 3\r\n\r\nabc'],
    ['a chunked body', 'host: m\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
    ['100-continue', 'host: m\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc'],
    ['a body of two lengths', 'host: m\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n'],
    ['two conditions', `if-none-match: "${other}"\r\nif-none-match: "${digest}"\r\n${plain}`],
    ['two credentials', `authorization: Bearer a\r\nauthorization: Bearer b\r\n${plain}`],
  ])('is the same with %s', async (_, rest) => {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'get'])
      for (const version of ['1.1', '1.0', '2.0']) await twins.expectSame(line(method, targets.tag, version) + rest);
  });

  it('comes in order with those of the framework, and ends a connection where they do', async () => {
    const several = [targets.tag, targets.base, targets['small blob'], targets.missing, targets['large blob']]
      .flatMap((target) => [target, targets.digest])
      .map((target) => line('GET', target) + plain);
    const said = await twins.expectSame(several.join(''));
    expect(said.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(11);
    await twins.expectSame(several.join('').replace(plain, `connection: close\r\n${plain}`));
    await twins.expectSame(line('GET', targets.tag, '1.0') + plain + several.join(''));
    await twins.expectSame(line('GET', targets.tag, '1.0') + `connection: keep-alive\r\n${plain}` + several.join(''));
  });

  it('is the same for whatever clients send', async () => {
    const some = fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'DELETE', 'PUT'),
      target: fc.constantFrom(...Object.values(targets)),
      version: fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
      host: fc.constantFrom('host: m', 'host: m', 'Host: own.test', 'host: local'),
      // Node hears nothing after a request with a body that asks for another protocol.
      more: fc.subarray(
        headers.filter((header) => !header.includes('upgrade')),
        { maxLength: 3 },
      ),
    });
    const pipelines = fc.array(some, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(pipelines, async (requests) => {
        const bytes = requests.map(({ method, target, version, host, more }) =>
          [line(method, target, version), host, '\r\n', ...more.map((header) => `${header}\r\n`), '\r\n'].join(''),
        );
        await twins.expectSame(bytes.join(''));
      }),
      { numRuns: 150 },
    );
  });

  it('leaves the same log lines and metrics', async () => {
    await using others = await warmTwins();
    const before = others.count;
    for (const target of Object.values(targets))
      for (const more of ['', `if-none-match: "${digest}"\r\n`, 'range: bytes=0-9\r\n'])
        for (const method of ['GET', 'HEAD']) await others.expectSame(line(method, target) + more + plain);
    expect(others.count - before).toBeGreaterThan(30);
    // Each with its own bytes, although the next one follows at once.
    await others.expectSame((line('GET', targets.digest) + plain).repeat(5));
    await others.expectSameRecords();
    const lines = others.hot.log.trimEnd().split('\n').slice(-5);
    const sizes = lines.map((text) => (JSON.parse(text) as { readonly bytes: number }).bytes);
    expect(new Set(sizes).size, sizes.join(' ')).toBe(1);
  });
});
