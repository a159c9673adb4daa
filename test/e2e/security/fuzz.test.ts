import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { sizes } from '../../sizes.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { Probe } from '../support/probe.js';
import { Random } from '../support/random.js';
import { openFiles } from '../support/open-files.js';

beforeAll(build, 180_000);

const total = sizes.fuzzedRequests;
/** Requests before the first figure is taken: code is compiled and caches are filled meanwhile. */
const warmUp = 30_000;
const connections = 16;
const pipelined = 6;

const collector = join(import.meta.dirname, '../support/collect-on-signal.mjs');
const image = makeImage({ layers: [3_000, 200_000], seed: 'fuzz' });
const digests = [image.manifest, image.config, ...image.layers].map(({ digest }) => digest);
const absent = `sha256:${'0'.repeat(64)}`;

const prefixes = [
  '/v2/registry.test/',
  '/v2/',
  '/registry.test/v2/',
  '/v2/localhost/',
  '/v2/ghcr.test/',
  '//v2/',
  '/V2/',
  '/',
];
const names = [
  'team/app',
  'team/app',
  'team/other',
  'app',
  'a'.repeat(260),
  'Team/App',
  'team//app',
  '../app',
  'team/app/manifests',
  'a__b',
  'a___b',
  '__proto__',
  'constructor/prototype',
];
const nouns = ['manifests', 'manifests', 'blobs', 'blobs', 'tags', 'referrers', 'uploads', '_catalog', 'toString'];
const references = [
  '1',
  'latest',
  'list',
  '-x',
  '.',
  '..',
  absent,
  'sha256:',
  'sha512:00',
  'md5:d41d8cd98f00b204e9800998ecf8427e',
  'x'.repeat(129),
  '%00',
  ...digests,
];
const queries = [
  '',
  '',
  '',
  '?',
  '?ns=registry.test',
  '?ns=docker.io&ns=registry.test',
  '?ns=%00',
  '?n=10',
  '?n=-1',
  '?n=1e9',
  '?last=zzz',
  '?n=0&last=%F0%28',
  '?artifactType=x/y',
  '?__proto__=1',
  '?ns=127.0.0.1',
  '?ns=[::1]',
  '?x=' + 'y'.repeat(2_000),
];
const methods = [
  'GET',
  'GET',
  'GET',
  'GET',
  'GET',
  'GET',
  'HEAD',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
];
const headers = [
  'range: bytes=0-0',
  'range: bytes=5-',
  'range: bytes=-5',
  'range: bytes=9-1',
  'range: bytes=0-1,3-4',
  'range: items=0-1',
  'range: bytes=99999999999999999999-',
  'range: \u00ff',
  'if-none-match: *',
  `if-none-match: "${digests[0]}"`,
  'if-none-match: W/"x", "',
  'if-range: "x"',
  'if-modified-since: never',
  'accept: */*',
  'accept: text/html;q=0.1, ,;=',
  `accept: ${'a/b,'.repeat(500)}`,
  'accept-encoding: gzip, br',
  'expect: 100-continue',
  'expect: nonsense',
  'x-request-id: a b',
  'x-request-id: ' + 'x'.repeat(300),
  'x-forwarded-host: evil.test',
  'x-forwarded-for: 127.0.0.1',
  'authorization: Basic AAAA',
  'cookie: a=b; c',
  'upgrade: websocket',
  'te: trailers',
  'content-type: \u0080/\u0081',
  'origin: null',
];
const bodies = ['', 'x', '{"a":', '\r\n', 'GET / HTTP/1.1\r\n\r\n', '\u0000'.repeat(1_000)];
const breaks = [
  '%',
  '%2f',
  '%2F..',
  '%00',
  '%zz',
  '%c0%af',
  '/',
  '//',
  '..',
  '.',
  ':',
  '@',
  '#',
  ';',
  '\\',
  '|',
  '\u007f',
  '*',
  '~',
  '[',
  '{',
  '$',
  '`',
  "'",
  '"',
  '<script>',
  '\u00e9',
];

/** A request whose end can be told: it is valid HTTP/1.1, whatever it asks for. */
function wellFramed(random: Random): string {
  const lines = [`${random.pick(methods)} ${target(random)} HTTP/1.1`, 'host: m'];
  for (let count = random.below(4); count > 0; count -= 1) {
    const header = random.pick(headers);
    // Of an upgraded connection nothing more would be read.
    if (!header.startsWith('expect: 100') && !header.startsWith('upgrade')) lines.push(header);
  }
  if (random.below(8) > 0) return `${lines.join('\r\n')}\r\n\r\n`;
  const body = random.pick(bodies);
  if (random.below(2) === 0) return `${lines.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${lines.join('\r\n')}\r\ntransfer-encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
}

function target(random: Random): string {
  // A quarter asks for what there is: nonsense is worse between sense.
  if (random.below(4) === 0) {
    const kind = random.pick(['manifests', 'blobs']);
    const reference = kind === 'manifests' ? random.pick(['1', digests[0]]) : random.pick(digests.slice(1));
    return `/v2/registry.test/team/app/${kind}/${reference}${random.pick(['', '?ns=registry.test'])}`;
  }
  let text = `${random.pick(prefixes)}${random.pick(names)}/${random.pick(nouns)}/${random.pick(references)}`;
  for (let changes = random.below(3); changes > 0; changes -= 1) {
    const at = random.below(text.length);
    const cut = random.below(3) === 0 ? random.below(6) : 0;
    text = text.slice(0, at) + (random.below(2) === 0 ? random.pick(breaks) : '') + text.slice(at + cut);
  }
  return (text.startsWith('/') ? text : `/${text}`) + random.pick(queries);
}

/** A request that ends its connection: broken text, or one that was never HTTP. */
function broken(random: Random): Buffer {
  const text = Buffer.from(
    `${random.pick(methods)} ${target(random)} HTTP/1.1\r\nhost: m\r\n${random.pick(headers)}\r\n\r\n`,
    'latin1',
  );
  const kind = random.below(4);
  if (kind === 0) return random.bytes(1 + random.below(200));
  if (kind === 1) return text.subarray(0, 1 + random.below(text.length - 1));
  if (kind === 2)
    return Buffer.from(
      text
        .toString('latin1')
        .replace(
          '\r\n',
          random.pick(['\n', '\r', '\r\n x\r\n', '\u0000\r\n', '\r\ncontent-length: 1\r\ncontent-length: 2\r\n']),
        ),
      'latin1',
    );
  for (let flips = 4; flips > 0; flips -= 1) text[random.below(text.length)] = random.below(256);
  return text;
}

/** Sends requests one behind the other and their end, and takes all that is answered. */
function converse(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(`the server kept the connection after ${JSON.stringify(bytes.toString('latin1').slice(0, 4_000))}`),
      );
    }, 30_000);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
  });
}

/** Final statuses of everything answered in a conversation; no body that is served here looks like a status line. */
function statusesIn(said: Buffer): number[] {
  return [...said.toString('latin1').matchAll(/HTTP\/1\.1 ([2-5]\d{2}) /g)].map(([, status]) => Number(status));
}

async function residentOf(program: Program): Promise<number> {
  const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/**
 * What the program takes when V8 has collected everything, in bytes; the least of several looks. Left to itself V8 lets
 * garbage of a hundred MiB lie until it wants the room, so that a look at one moment says nothing about what is held.
 */
async function heldMemory(program: Program): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 6; look += 1) {
    program.kill('SIGUSR2');
    await sleep(300);
    least = Math.min(least, await residentOf(program));
  }
  return least;
}

/** Of what the program has logged, only trouble is of interest later, and where it listens. */
function forgetRequests(program: Program): void {
  if (program.stdout.length < 4_000_000) return;
  const lines = program.stdout.split('\n');
  program.stdout = [...lines.filter((line) => /"level":[456]0|listening/.test(line)), lines.at(-1)].join('\n');
}

describe(`${total} requests of nonsense`, () => {
  it(
    'crash nothing, bring no 500, hold nobody up, cost no memory, and ask nobody nonsense',
    { timeout: Math.max(300_000, 3 * total) },
    async () => {
      await using folder = await Folder.make();
      await using registry = await FakeRegistry.start();
      registry.addImage('team/app', image, ['1', 'latest']);
      const yaml = `- {namespace: registry.test, host: '${registry.host}', tls: false}\n`;
      await writeFile(folder.file('upstreams.yaml'), yaml);
      const options = ['--upstream-config-file', 'upstreams.yaml', '--default-namespace', 'registry.test'];
      // Nobody outside is asked: docker.io is known to every mirror, and stands for nobody here.
      const env = { HTTPS_PROXY: 'http://127.0.0.1:9', NODE_OPTIONS: `--import ${collector}` };
      await using program = await Program.start(['--listen', '127.0.0.1:0', ...options], { cwd: folder.path, env });
      const port = Number(new URL(program.url).port);
      const random = new Random(20_260_117);
      const counts = new Map<number, number>();

      const fuzz = async (count: number) => {
        let left = count;
        const worker = async () => {
          while (left > 0) {
            const size = Math.min(left, pipelined);
            left -= size;
            const texts = Array.from({ length: size - 1 }, () => Buffer.from(wellFramed(random), 'latin1'));
            const last = random.below(3) === 0 ? broken(random) : Buffer.from(wellFramed(random), 'latin1');
            for (const status of statusesIn(await converse(port, Buffer.concat([...texts, last]))))
              counts.set(status, (counts.get(status) ?? 0) + 1);
            forgetRequests(program);
          }
        };
        await Promise.all(Array.from({ length: connections }, worker));
      };

      await fuzz(warmUp);
      const before = { memory: await heldMemory(program), files: await openFiles() };
      await using probe = new Probe(`${program.url}/v2/`);
      await fuzz(total);
      const delays = await probe.end();
      const garbage = await residentOf(program);
      const after = await heldMemory(program);
      const grown = after - before.memory;
      const said = [...counts].sort(([a], [b]) => a - b);
      console.log({
        said,
        delays,
        grownMiB: grown / 2 ** 20,
        residentMiB: [before.memory, garbage, after].map((bytes) => Math.round(bytes / 2 ** 20)),
      });

      expect(program.isRunning).toBe(true);
      expect(
        said
          .map(([status]) => status)
          .filter((status) => ![200, 206, 304, 400, 403, 404, 405, 416, 431, 501, 502, 503].includes(status)),
      ).toEqual([]);
      // Only writes that a web page of another origin sends are forbidden here.
      expect(counts.get(403) ?? 0).toBeLessThan((counts.get(405) ?? 0) / 10);
      expect(counts.get(200)).toBeGreaterThan(total / 100);
      expect(program.stdout.match(/"level":[56]0.*/g)).toBeNull();
      expect(program.stderr).toBe('');
      // Fuzz, server and probe are three for two processors; more than twice as slow, others take part.
      expect(delays.p99).toBeLessThan(100 * Math.max(1, delays.slowdown / 2));
      expect(grown).toBeLessThan(10 * 1024 * 1024);
      expect((await openFiles()) - before.files).toBeLessThan(10);
      const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
      const wellFormed = new RegExp(
        `^/v2/(?:${component}/)*${component}/(?:manifests|blobs|referrers|tags)/[\\w.:-]+(?:\\?[\\w=&%.+-]*)?$`,
      );
      expect(registry.requests.length).toBeGreaterThan(0);
      expect(
        registry.requests.map(({ url }) => url).filter((url) => url.length > 800 || !wellFormed.test(url)),
      ).toEqual([]);
      expect(new Set(registry.requests.map(({ method }) => method))).toEqual(new Set(['GET', 'HEAD']));
      expect(registry.failures).toEqual([]);
    },
  );
});
