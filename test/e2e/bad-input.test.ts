import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { blobOf, fixtureMediaTypes as types, makeImage } from '../fixtures/images.js';
import type { LookupFunction } from 'node:net';
import { Resolver } from '../../src/upstream/transport/resolver.js';
import { expectError } from './support/error-document.js';
import { Mirror } from './support/mirror.js';
import { openFiles } from './support/open-files.js';
import { Random } from './support/random.js';
import { exchange, rawRequest, readResponse, talk, type RawReply } from './support/raw.js';
import { Stage } from './support/stage.js';
import { storedFiles } from './support/stored-files.js';
import { until } from './support/until.js';

const hex = 'a'.repeat(64);
const repository = '/v2/registry.test/team/app';

describe('a request that names what cannot be', () => {
  const refused: [what: string, target: string, code: string][] = [
    ['a digest too short', `${repository}/blobs/sha256:${hex.slice(1)}`, 'DIGEST_INVALID'],
    ['a digest too long', `${repository}/blobs/sha256:${hex}a`, 'DIGEST_INVALID'],
    ['a digest with other letters', `${repository}/blobs/sha256:${hex.slice(1)}g`, 'DIGEST_INVALID'],
    ['a sha512 digest of 64 digits', `${repository}/blobs/sha512:${hex}`, 'DIGEST_INVALID'],
    ['an unknown algorithm', `${repository}/blobs/md5:${'a'.repeat(32)}`, 'DIGEST_INVALID'],
    ['a property of every object as algorithm', `${repository}/blobs/__proto__:${hex}`, 'DIGEST_INVALID'],
    ['no algorithm', `${repository}/blobs/${hex}`, 'DIGEST_INVALID'],
    ['a tag for a blob', `${repository}/blobs/latest`, 'DIGEST_INVALID'],
    ['two colons', `${repository}/manifests/sha256:${hex}:x`, 'DIGEST_INVALID'],
    ['a digest with a path', `${repository}/manifests/sha256:..%2F..%2Fetc`, 'TAG_INVALID'],
    ['a tag for referrers', `${repository}/referrers/latest`, 'DIGEST_INVALID'],
    ['a tag that begins with a dot', `${repository}/manifests/.hidden`, 'TAG_INVALID'],
    ['a tag that begins with a dash', `${repository}/manifests/-x`, 'TAG_INVALID'],
    ['a tag with a plus', `${repository}/manifests/1+1`, 'TAG_INVALID'],
    ['a tag with a space', `${repository}/manifests/a%20b`, 'TAG_INVALID'],
    ['a name that begins with a dot', '/v2/registry.test/.team/app/manifests/1', 'NAME_INVALID'],
    ['a name that ends with a dash', '/v2/registry.test/team-/app/manifests/1', 'NAME_INVALID'],
    ['a name with three underscores', '/v2/registry.test/a___b/manifests/1', 'NAME_INVALID'],
    ['a name with two dots', '/v2/registry.test/a..b/manifests/1', 'NAME_INVALID'],
    ['a name with an underscore at its start', '/v2/registry.test/_blobs/manifests/1', 'NAME_INVALID'],
    ['a name with a star', '/v2/registry.test/a*b/manifests/1', 'NAME_INVALID'],
  ];

  it.each(refused)('as %s is refused, and the registry is not asked: %s', async (_, target, code) => {
    await using stage = await Stage.start();
    expectError(await rawRequest(stage.mirror.url, target), 400, code);
    expect(stage.asked).toEqual([]);
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });
});

describe('headers that nobody needs', () => {
  it.each([
    ['one of 20 KiB', [`x-large: ${'x'.repeat(20 * 1024)}`]],
    ['a thousand of them', Array.from({ length: 1000 }, (_, index) => `x-header-${index}: ${'x'.repeat(20)}`)],
    ['a cookie of 17 KiB', [`cookie: ${'x'.repeat(17 * 1024)}`]],
  ])('are refused when they are %s', async (_, headers) => {
    await using mirror = await Mirror.start();
    const reply = await rawRequest(mirror.url, '/v2/', { headers });
    expectError(reply, 431, 'REQUEST_INVALID');
    expect(reply.headers.connection).toBe('close');
  });

  it('are refused when the URL alone is too long', async () => {
    await using mirror = await Mirror.start();
    expectError(await rawRequest(mirror.url, `/v2/${'a'.repeat(20_000)}/manifests/1`), 431, 'REQUEST_INVALID');
  });

  it('make no difference when they are odd', async () => {
    await using stage = await Stage.start();
    const image = makeImage();
    stage.registry.addImage('team/app', image, ['1']);
    const odd = [
      ['accept: nonsense'],
      ['accept: application/json;q=banana, */'],
      ['accept: text/html'],
      ['accept-encoding: gzip, br, zstd'],
      ['content-type: ;;;'],
      ['if-none-match: """"'],
      [`if-none-match: ${'"x",'.repeat(3000)}`],
      ['if-range: '],
      ['range: bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0'],
      ['authorization: Basic AAAA'],
      ['authorization: Bearer planted-client-token'],
      ['x-forwarded-host: evil.test', 'x-forwarded-proto: gopher'],
      ['forwarded: for="[::1]";host=evil.test'],
      ['x-original-url: /v2/_catalog', 'x-rewrite-url: /v2/_catalog'],
      ['x-http-method-override: DELETE'],
      ['te: trailers, deflate;q=0.5'],
      ['expect: the-unexpected'],
      ['cookie: a=b; c=d'],
    ];
    for (const headers of odd) {
      const reply = await rawRequest(stage.mirror.url, `${repository}/manifests/1`, { headers });
      expect([reply.status, reply.body.equals(image.manifest.body)], headers[0]).toEqual([200, true]);
    }
    // What a client signs in with is not for the registry behind.
    expect(JSON.stringify(stage.registry.requests)).not.toMatch(/planted-|evil\.test|AAAA/);
  });
});

describe('text that is no HTTP', () => {
  const malformed: [what: string, text: string][] = [
    ['garbage', '\u0000\u0001\u0002\r\n\r\n'],
    ['a TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
    ['an unknown method', 'FETCH /v2/ HTTP/1.1\r\nhost: m\r\n\r\n'],
    ['a method in lower case', 'get /v2/ HTTP/1.1\r\nhost: m\r\n\r\n'],
    ['a wrong version', 'GET /v2/ HTTP/9.9\r\nhost: m\r\n\r\n'],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a space in the URL', 'GET /v2/ x HTTP/1.1\r\nhost: m\r\n\r\n'],
    ['NUL in the URL', 'GET /v2/\u0000 HTTP/1.1\r\nhost: m\r\n\r\n'],
    ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n'],
    ['a header without a colon', 'GET /v2/ HTTP/1.1\r\nhost: m\r\nnonsense\r\n\r\n'],
    ['a space before the colon', 'GET /v2/ HTTP/1.1\r\nhost: m\r\nx : y\r\n\r\n'],
    ['NUL in a header', 'GET /v2/ HTTP/1.1\r\nhost: m\r\nx: a\u0000b\r\n\r\n'],
    ['two lengths', 'POST /v2/ HTTP/1.1\r\nhost: m\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['a negative length', 'POST /v2/ HTTP/1.1\r\nhost: m\r\ncontent-length: -1\r\n\r\n'],
    [
      'length and chunks',
      'POST /v2/ HTTP/1.1\r\nhost: m\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ];

  it.each(malformed)('as %s is answered with the error document', async (_, text) => {
    await using mirror = await Mirror.start();
    const reply = await exchange(mirror.url, Buffer.from(text, 'latin1'));
    expectError(reply, 400, 'REQUEST_INVALID');
    expect(reply.headers.connection).toBe('close');
    expectError(await rawRequest(mirror.url, '/still/there'), 404, 'NOT_FOUND');
  });

  it('inside the chunks of a refused body does not become a second request', async () => {
    await using stage = await Stage.start();
    const headers = ['host: m', 'transfer-encoding: chunked'].join('\r\n');
    const said = await talkUntilClosed(
      stage.mirror.url,
      `POST /v2/ HTTP/1.1\r\n${headers}\r\n\r\nzz\r\nGET ${repository}/manifests/1 HTTP/1.1\r\nhost: m\r\n\r\n`,
    );
    expect(said.toString('latin1').match(/HTTP\/1\.1 (?!4)/g)).toBeNull();
    expect(stage.asked).toEqual([]);
  });

  it('never gets a line break of a client into a header of an answer', async () => {
    await using stage = await Stage.start();
    const injected = '%0d%0aset-cookie:%20planted=1%0d%0a%0d%0a';
    const targets = [
      `/v2/${injected}`,
      `/v2/registry.test/team/app/manifests/1${injected}`,
      `/v2/registry.test/team${injected}/app/manifests/1`,
      `/v2/team/app/manifests/1?ns=registry.test${injected}`,
      `/v2/team/app/tags/list?ns=registry.test&n=1&last=${injected}`,
      `/v2/team/app/tags/list?n=1${injected}`,
      `/${injected}/v2/team/app/manifests/1`,
      `/v2/team/app/referrers/sha256:${hex}?ns=registry.test&artifactType=${injected}`,
    ];
    const { registry, mirror } = stage;
    for (const tag of ['a', 'b', 'c']) registry.addImage('team/app', makeImage({ seed: tag }), [tag]);
    for (const target of targets) {
      const said = (await talk(mirror.url, `GET ${target} HTTP/1.1\r\nhost: m\r\n\r\n`)).toString('latin1');
      expect(said.slice(0, said.indexOf('\r\n\r\n')), target).not.toMatch(/^set-cookie/im);
    }
  });
});

describe('a manifest of the registry that is none', () => {
  const { manifest } = makeImage();
  const document = JSON.parse(manifest.body.toString()) as Record<string, unknown>;
  const wrong: [what: string, mediaType: string, body: string][] = [
    ['HTML', 'text/html', '<!doctype html><p>planted'],
    ['HTML with a manifest type', types.ociManifest, '<!doctype html><p>planted'],
    ['nothing', types.ociManifest, ''],
    ['half of one', types.ociManifest, manifest.body.subarray(0, 50).toString()],
    ['a list', types.ociManifest, '[]'],
    ['null', types.ociManifest, 'null'],
    ['a text', types.ociManifest, '"manifest"'],
    ['one that is also an index', types.ociManifest, JSON.stringify({ ...document, manifests: [] })],
    ['larger than 4 MiB', types.ociManifest, JSON.stringify({ ...document, x: 'x'.repeat(4 * 1024 * 1024) })],
  ];

  it.each(wrong)('but %s is 502 by tag and by digest, and is not stored', async (_, mediaType, text) => {
    const { digest, body } = blobOf(Buffer.from(text));
    await using stage = await Stage.start({
      registry: {
        before: ({ method }, response) => {
          response.writeHead(200, { 'content-type': mediaType, 'content-length': body.length });
          response.end(method === 'HEAD' ? undefined : body);
        },
      },
    });
    for (const reference of ['1', digest]) {
      const reply = await stage.get(`team/app/manifests/${reference}`);
      expectError(reply, 502, 'UPSTREAM_ERROR');
      expect(reply.body.toString()).not.toContain('planted');
    }
    expect(await storedFiles(stage.mirror.root)).toEqual([]);
  });

  it.each([
    ['a type of something else', 'application/vnd.example'],
    ['a malformed type', '///'],
  ])(
    'but a JSON object with %s is 502 by tag, and served by its digest, which vouches for it',
    async (_, mediaType) => {
      const { digest, body } = blobOf(Buffer.from('{"schemaVersion":2}'));
      await using stage = await Stage.start({
        registry: {
          before: ({ method }, response) => {
            response.writeHead(200, { 'content-type': mediaType, 'content-length': body.length });
            response.end(method === 'HEAD' ? undefined : body);
          },
        },
      });
      expectError(await stage.get('team/app/manifests/1'), 502, 'UPSTREAM_ERROR');
      expect(await storedFiles(stage.mirror.root)).toEqual([]);
      const reply = await stage.get(`team/app/manifests/${digest}`);
      expect([reply.status, reply.headers['content-type'], reply.body.equals(body)]).toEqual([
        200,
        'application/json',
        true,
      ]);
    },
  );

  it('but another one than its digest says is 502, and is not stored', async () => {
    await using stage = await Stage.start();
    const other = makeImage({ seed: 'other' });
    stage.registry.addManifest('team/app', { ...other.manifest, digest: manifest.digest });
    expectError(await stage.get(`team/app/manifests/${manifest.digest}`), 502, 'UPSTREAM_ERROR');
    stage.registry.setTag('team/app', '1', manifest.digest);
    expectError(await stage.get('team/app/manifests/1'), 502, 'UPSTREAM_ERROR');
    expect((await storedFiles(stage.mirror.root)).filter((file) => !file.includes('_tags'))).toEqual([]);
  });

  it('is served up to 4 MiB', async () => {
    await using stage = await Stage.start();
    const frame = JSON.stringify({ ...document, x: '' }).length;
    const body = Buffer.from(JSON.stringify({ ...document, x: 'x'.repeat(4 * 1024 * 1024 - frame) }));
    const largest = { ...blobOf(body), mediaType: manifest.mediaType };
    stage.registry.addManifest('team/app', largest);
    for (let round = 0; round < 2; round += 1) {
      const reply = await stage.get(`team/app/manifests/${largest.digest}`);
      expect([reply.status, reply.body.length, reply.body.equals(body)]).toEqual([200, 4 * 1024 * 1024, true]);
    }
  });
});

describe('2,000 requests of garbage', () => {
  it('bring no 500, stop nothing, and leave nothing behind', { timeout: 60_000 }, async () => {
    await using stage = await Stage.start({ resolver: new Nowhere(), server: { logLevel: 'info' } });
    stage.registry.addImage('team/app', makeImage(), ['1']);
    const random = new Random(3);
    const ask = async (count: number) => {
      const responses: RawReply[] = [];
      for (let sent = 0; sent < count; sent += 40) {
        const batch = Array.from({ length: 40 }, () => garbage(random));
        const said = await Promise.all(batch.map((bytes) => talkAndLeave(stage.mirror.url, bytes)));
        responses.push(...said.flatMap((each) => readResponse(each) ?? []));
        expect((await rawRequest(stage.mirror.url, '/v2/')).status).toBe(200);
      }
      return responses;
    };
    await ask(400);
    await stage.mirror.settled();
    global.gc?.();
    const before = { files: await openFiles(), memory: process.memoryUsage.rss() };
    const responses = await ask(2000);
    await stage.mirror.settled();
    const refusals = responses.filter(({ status }) => status >= 400);
    expect(refusals.length).toBeGreaterThan(1000);
    for (const { status, headers, body } of refusals) {
      expect([400, 404, 405, 416, 431, 502]).toContain(status);
      expect(headers['content-type']).toBe('application/json');
      // After the answer to a HEAD may follow that to what came behind it.
      if (body.length > 0)
        expect(body.toString('latin1')).toMatch(/^(?:HTTP\/1\.1 |\{"errors":\[\{"code":"[A-Z_]+","message":")/);
    }
    await until('the descriptors are back', async () => (await openFiles()) <= before.files + 5);
    expect(process.memoryUsage.rss() - before.memory).toBeLessThan(100 * 1024 * 1024);
    expect(stage.mirror.log).not.toMatch(/"level":(50|60)/);
    expect((await stage.get('team/app/manifests/1')).status).toBe(200);
  });
});

/** DNS in which nothing exists: garbage must not reach anybody. */
class Nowhere extends Resolver {
  readonly lookup: LookupFunction = (hostname, _options, callback) =>
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);
}

const words = [
  '/',
  '//',
  '/v2/',
  'registry.test',
  '/team/app',
  '/manifests/',
  '/blobs/',
  '/tags/list',
  '/referrers/',
  'sha256:',
  hex,
  '%',
  '%00',
  '%2f',
  '%2e%2e/',
  '..',
  '?',
  '?ns=',
  '&n=',
  '&last=',
  '#',
  ';',
  '@',
  ':443',
  ':99999',
  'é',
  '\u0001',
  ' ',
  '\t',
  '\r\n',
  '\n',
  'HTTP/1.1',
  '__proto__',
  'constructor',
  '[::1]',
  '*',
  'a'.repeat(300),
  '\u00ff',
  '{',
  '"',
];
const headerWords = [
  'range: bytes=',
  'if-none-match: ',
  'if-range: ',
  'host: ',
  'accept: ',
  'content-length: ',
  'expect: ',
];

/** A request that begins well and goes wrong somewhere, or one that never was one. */
function garbage(random: Random): Buffer {
  const some = (choices: readonly string[], most: number) =>
    Array.from({ length: random.below(most) }, () => random.pick(choices)).join('');
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'FOO', '']);
  const lines = [
    `${method} ${random.pick(['/v2/', '/v2/registry.test/team/app', '/', ''])}${some(words, 12)} HTTP/1.1`,
    'host: m',
  ];
  for (let count = random.below(4); count > 0; count -= 1) lines.push(`${random.pick(headerWords)}${some(words, 4)}`);
  const text = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${random.below(4) === 0 ? some(words, 20) : ''}`, 'latin1');
  const kind = random.below(10);
  if (kind === 0) return random.bytes(random.below(400));
  if (kind === 1) return text.subarray(0, random.below(text.length));
  for (let flips = kind === 2 ? 3 : 0; flips > 0; flips -= 1) text[random.below(text.length)] = random.below(256);
  return text;
}

/** Says it, ends its own half of the connection, and takes whatever comes until the server ends the other half. */
function talkAndLeave(url: string, bytes: Buffer): Promise<Buffer> {
  return converse(url, bytes, true);
}

function talkUntilClosed(url: string, text: string): Promise<Buffer> {
  return converse(url, Buffer.from(text, 'latin1'), false);
}

function converse(url: string, bytes: Buffer, leaves: boolean): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => (leaves ? socket.end(bytes) : socket.write(bytes)));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the server kept the connection: ${JSON.stringify(bytes.toString('latin1'))}`));
    }, 10_000);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
  });
}
