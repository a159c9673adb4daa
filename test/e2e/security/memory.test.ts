import { readFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { bytes, head, ScriptedUpstream, type Script } from '../../fakes/scripted-upstream.js';
import { Folder } from '../support/folder.js';
import { Probe } from '../support/probe.js';
import { build, Program } from '../support/program.js';

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

  get(path: string): ReturnType<typeof request> {
    return request(`${this.program.url}/v2/${path}`);
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
    const delay = await scene.delaysDuring(() => pull(body, 'hostile'));
    console.log(`eight manifests of ${name}: ${delay.toFixed(0)} ms, of other large ones: ${usual.toFixed(0)} ms`);
    expect(delay).toBeLessThanOrEqual(Math.max(longestDelay, usual * 2));
    await expectPeak(scene, `manifests of ${name}`);
  });
});
