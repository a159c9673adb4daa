import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { bytes, head, ScriptedUpstream, silence, type Script } from '../../fakes/scripted-upstream.js';
import { Folder } from '../support/folder.js';
import { Probe } from '../support/probe.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

const limit = 4 * 1024 * 1024;
const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const json = { 'content-type': mediaType };

/** A manifest of exactly 4 MiB. */
function largeManifest(name: string): Buffer {
  const frame = JSON.stringify({ schemaVersion: 2, mediaType, config: {}, layers: [], name, x: '' });
  return Buffer.from(frame.replace('"x":""', `"x":"${'x'.repeat(limit - frame.length)}"`));
}

const whole = (body: Buffer, headers = {}): Script => [
  head(200, { ...json, 'content-length': body.length, ...headers }),
  bytes(body),
];

/** The program with a registry `good.test` and twelve others, and what it takes of memory and of others' time. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly good: ScriptedUpstream,
    readonly evil: ScriptedUpstream,
    readonly program: Program,
    private readonly folder: Folder,
  ) {}

  static async set(...args: readonly string[]): Promise<Scene> {
    const [good, evil, folder] = [await ScriptedUpstream.start(), await ScriptedUpstream.start(), await Folder.make()];
    good.on(
      'GET',
      /manifests\/small/,
      whole(Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }))),
    );
    const upstreams = [`- {namespace: good.test, host: '${good.host}', tls: false}`].concat(
      Array.from({ length: 12 }, (_, index) => `- {namespace: evil${index}.test, host: '${evil.host}', tls: false}`),
    );
    const file = folder.file('upstreams.yaml');
    writeFileSync(file, upstreams.join('\n'));
    const program = await Program.start(
      ['--listen', '127.0.0.1:0', '--upstream-config-file', file, '--client-timeout', '5s', ...args],
      { cwd: folder.path },
    );
    await request(`${program.url}/v2/good.test/app/manifests/small`);
    return new Scene(good, evil, program, folder);
  }

  /** A client that sends requests and reads nothing of what comes: the kernel alone takes 4 MB for it. */
  async deaf(path: string): Promise<Socket> {
    const socket = connect(Number(new URL(this.program.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    socket.write(`GET /v2/${path} HTTP/1.1\r\nhost: m\r\n\r\n`.repeat(3));
    return socket;
  }

  get(path: string): ReturnType<typeof request> {
    return request(`${this.program.url}/v2/${path}`);
  }

  /** Connections with something that their clients have not taken, as the kernel has them. */
  async stuck(): Promise<number> {
    const port = Number(new URL(this.program.url).port).toString(16).toUpperCase().padStart(4, '0');
    const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n');
    return lines.filter((line) => /^ *\d+: (\S+) \S+ 01 (?!0{8})/.exec(line)?.[1] === `0100007F:${port}`).length;
  }

  /** Requests in progress, without the one that asks. */
  async active(): Promise<number> {
    const { body } = await request(`${this.program.url}/metrics`);
    return Number(/^oci_registry_http_requests_active (\d+)$/m.exec(body.toString())![1]) - 1;
  }

  /** How long others wait for an ordinary response while something happens: that of 99 in 100, in milliseconds. */
  async delaysDuring(action: () => Promise<void>): Promise<number> {
    await using probe = new Probe(`${this.program.url}/healthz`);
    await action();
    return (await probe.end()).p99;
  }

  /** The most memory that the process had, in MiB. */
  async peak(): Promise<number> {
    const status = await readFile(`/proc/${this.program.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.good.close();
    await this.evil.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

const evils = (count: number) =>
  Array.from({ length: count }, (_, index) => `evil${index % 12}.test/app/manifests/t${index}`);

const mostMemory = 250;
const longestDelay = 100;

async function expectPeak(scene: Scene, name: string): Promise<void> {
  const peak = await scene.peak();
  console.log(`${name}: ${peak.toFixed(0)} MiB`);
  expect(peak).toBeLessThanOrEqual(mostMemory);
}

describe('bodies in memory', () => {
  it(
    '144 manifests of 4 MiB that stall before their last byte leave room for others',
    { timeout: 150_000 },
    async () => {
      await using scene = await Scene.set();
      const body = largeManifest('stalled');
      scene.evil.on('GET', /manifests/, [
        head(200, { ...json, 'content-length': body.length }),
        bytes(body.subarray(0, -1)),
        silence(),
      ]);
      const large = largeManifest('good');
      scene.good.on('GET', /manifests\/large/, whole(large));
      const stalled = evils(144).map((path) => scene.get(path));
      await until('they stall', () => scene.evil.bodyBytes() > 40 * 1024 * 1024, 20_000);
      const start = performance.now();
      expect((await scene.get('good.test/app/manifests/large')).body.equals(large)).toBe(true);
      const took = performance.now() - start;
      console.log(`a good manifest beside stalled ones: ${took.toFixed(0)} ms`);
      expect(took).toBeLessThan(6_000);
      for (const { status } of await Promise.all(stalled)) expect([502, 503, 504]).toContain(status);
      await expectPeak(scene, 'stalled manifests');
    },
  );

  it.each(['one manifest', 'manifests of their own'])(
    '100 clients that never read %s are cut',
    { timeout: 150_000 },
    async (which) => {
      await using scene = await Scene.set();
      scene.evil.on('GET', /manifests/, { respond: ({ path }) => whole(largeManifest(path)) });
      const paths = which === 'one manifest' ? Array<string>(100).fill(evils(1)[0]!) : evils(100);
      const start = performance.now();
      const sockets = await Promise.all(paths.map((path) => scene.deaf(path)));
      await until('they are stuck', async () => (await scene.stuck()) > 0);
      const small = await scene.get('good.test/app/manifests/small');
      expect(small.status).toBe(200);
      // Each waits for room in memory behind others, which are cut after five seconds: some eight at a time. A response
      // that the kernel has whole is sent, and its connection idle.
      await until('all are cut or have their responses', async () => (await scene.active()) === 0, 100_000);
      console.log(`all were cut after ${(performance.now() - start).toFixed(0)} ms`);
      for (const socket of sockets) socket.destroy();
      await expectPeak(scene, `clients that never read ${which}`);
    },
  );
});

const fill = (part: string) => part.repeat(Math.floor(limit / part.length));
const hostile: Record<string, string> = {
  arrays: fill('['),
  objects: fill('{"a":'),
  'empty objects': `{"layers":[${fill('{},').slice(0, -20)}]}`,
  'fields of their own': `{${Array.from({ length: 300_000 }, (_, index) => `"k${index.toString(36)}":1`).join(',')}}`,
};

describe('documents that take parsers long', () => {
  it.each(Object.keys(hostile))('eight manifests of %s hold nobody up', { timeout: 60_000 }, async (name) => {
    await using scene = await Scene.set();
    const pull = async (manifest: Buffer, what: string) => {
      scene.evil.on('GET', /manifests/, whole(manifest));
      for (let round = 0; round < 6; round += 1) {
        const replies = await Promise.all(evils(8).map((path) => scene.get(`${path}-${what}-${round}`)));
        for (const { status } of replies) expect([200, 502]).toContain(status);
      }
    };
    const body = Buffer.from(hostile[name]!);
    // What their bytes cost, and what others do on this machine, is not the question.
    const usual = await scene.delaysDuring(() => pull(largeManifest('usual').subarray(0, body.length), 'usual'));
    // What takes parsers long does so each time; what the machine does besides, hardly three times.
    let delay = Infinity;
    for (let attempt = 1; attempt <= 3 && delay > longestDelay; attempt += 1)
      delay = Math.min(delay, await scene.delaysDuring(() => pull(body, `hostile-${attempt}`)));
    console.log(`eight manifests of ${name}: ${delay.toFixed(0)} ms, of other large ones: ${usual.toFixed(0)} ms`);
    expect(delay).toBeLessThanOrEqual(Math.max(longestDelay, usual * 2));
    await expectPeak(scene, `manifests of ${name}`);
  });
});
