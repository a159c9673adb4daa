import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { UpstreamClient } from '../../src/upstream/upstream.client.js';
import { LookupLimiter } from '../../src/upstream/transport/lookup.limiter.js';
import { Resolver, SystemResolver } from '../../src/upstream/transport/resolver.js';
import { Mirror, type MirrorOptions } from '../e2e/support/mirror.js';
import { DnsServer } from '../fakes/dns-server.js';
import { bytes, cut, head, ScriptedUpstream } from '../fakes/scripted-upstream.js';
import { makeBlob } from '../fixtures/images.js';
import { codeOf, pull } from './support/client.js';
import { until } from './support/gate.js';
import { Names } from './support/names.js';

/** Milliseconds until `getaddrinfo` gives up on a silent name. */
const patience = 8_000;

/** Resolves `localhost`; every other name is silent and holds one of the two threads that libuv gives `getaddrinfo`. */
class PoolResolver extends SystemResolver {
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  readonly looked: string[] = [];

  get isIdle(): boolean {
    return this.busy === 0 && this.waiting.length === 0;
  }

  private readonly getaddrinfo: LookupFunction = (hostname, options, callback) => {
    const finish = (reply: () => void, time: number) => {
      this.busy += 1;
      setTimeout(() => {
        this.busy -= 1;
        reply();
        this.waiting.shift()?.();
      }, time).unref();
    };
    const run = () => {
      this.looked.push(hostname);
      if (hostname !== 'localhost') {
        const error = Object.assign(new Error('no response'), { code: 'EAI_AGAIN' });
        finish(() => callback(error, ''), patience);
        return;
      }
      const address = { address: '127.0.0.1', family: 4 };
      finish(() => (options.all === true ? callback(null, [address]) : callback(null, '127.0.0.1', 4)), 0);
    };
    if (this.busy < 2) run();
    else this.waiting.push(run);
  };

  override readonly lookup = new LookupLimiter(this.getaddrinfo, 2).lookup;
}

const empty = Buffer.alloc(0);
const blobs = Array.from({ length: 12 }, (_, index) => makeBlob(1000, `silent ${index}`));

class Stage implements AsyncDisposable {
  private constructor(
    readonly dns: DnsServer,
    readonly good: ScriptedUpstream,
    readonly resolver: PoolResolver,
    readonly mirror: Mirror,
  ) {}

  static async set(options: MirrorOptions = {}): Promise<Stage> {
    const dns = await DnsServer.start((name) => (name.startsWith('private') ? ['10.0.0.1'] : 'silent'));
    const good = await ScriptedUpstream.start();
    for (const { digest, body } of blobs)
      good.on('GET', `/v2/app/blobs/${digest}`, [
        head(200, { 'content-length': body.length, connection: 'close' }),
        bytes(body),
        cut(),
      ]);
    const resolver = new PoolResolver([dns.address]);
    const host = good.host.replace('127.0.0.1', 'localhost');
    const silent = ['one', 'two', 'three'].map((name) => ({ namespace: `${name}.test`, host: `${name}.silent.test` }));
    const upstreams = [{ namespace: 'good.test', host }, ...silent];
    return new Stage(dns, good, resolver, await Mirror.start({ resolver, upstreams, ...options }));
  }

  /** Milliseconds for a cold blob of good. */
  async time(index: number): Promise<number> {
    const start = performance.now();
    const { verdict } = await pull(
      `${this.mirror.url}/v2/good.test/app/blobs/${blobs[index]!.digest}`,
      blobs[index]!.body,
    );
    expect(verdict).toBe('right');
    return performance.now() - start;
  }

  get circuit(): string | undefined {
    const { states } = this.mirror.app.get(UpstreamClient);
    return states.find(({ namespace }) => namespace === 'good.test')?.circuit;
  }

  silentPulls(count: number): Promise<unknown> {
    const pulls = Array.from({ length: count }, (_, index) =>
      pull(`${this.mirror.url}/v2/silent${index}.example/app/manifests/1`, empty),
    );
    return Promise.all(pulls);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.good.close();
    await this.dns[Symbol.asyncDispose]();
  }
}

describe('forty unconfigured names whose DNS is silent', () => {
  it('delay neither a configured registry nor another unconfigured name, and open no circuit of others', async () => {
    await using stage = await Stage.set();
    const alone = Math.max(await stage.time(0), await stage.time(1));
    const silent = stage.silentPulls(40);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const index of [2, 3, 4, 5, 6]) expect(await stage.time(index)).toBeLessThan(alone + 200);
    const start = performance.now();
    const refused = await pull(`${stage.mirror.url}/v2/private.example/app/manifests/1`, empty);
    expect([refused.status, codeOf(refused)]).toEqual([404, 'NAME_UNKNOWN']);
    expect(performance.now() - start).toBeLessThan(1_000);
    await silent;
    expect(stage.circuit).toBe('closed');
    expect(new Set(stage.resolver.looked)).toEqual(new Set(['localhost']));
  });
});

describe('configured names whose DNS is silent', () => {
  it('count nothing against a registry whose lookups wait for them, which is available as soon as they have ended', async () => {
    await using stage = await Stage.set();
    const { url } = stage.mirror;
    const silent = ['one', 'two', 'three'].map((name) => pull(`${url}/v2/${name}.test/app/manifests/1`, empty));
    await until(() => stage.resolver.looked.length === 2, 'both threads are busy');
    const waiting = await Promise.all(
      blobs.slice(0, 8).map(({ digest }) => pull(`${url}/v2/good.test/app/blobs/${digest}`, empty)),
    );
    expect(waiting.map(({ status }) => status)).toEqual(waiting.map(() => 503));
    expect(stage.circuit).toBe('closed');
    await Promise.all(silent);
    await until(() => stage.resolver.isIdle, 'the threads are free');
    expect(await stage.time(9)).toBeLessThan(1_000);
  });
});

describe('errors of this machine', () => {
  it.each(['EMFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])('count nothing against a registry: %s', async (code) => {
    await using good = await ScriptedUpstream.start();
    good.on('GET', /./, [head(200, { 'content-length': 1000 }), bytes(blobs[0]!.body)]);
    const names = Names.here();
    let left = 8;
    const resolver = new (class extends Resolver {
      override readonly lookup: LookupFunction = (name, options, callback) => {
        if ((left -= 1) < 0) names.lookup(name, options, callback);
        else callback(Object.assign(new Error('a limit'), { code }), '');
      };
    })();
    const host = good.host.replace('127.0.0.1', 'localhost');
    await using mirror = await Mirror.start({ resolver, upstreams: [{ namespace: 'good.test', host }] });
    const path = `${mirror.url}/v2/good.test/app/blobs/${blobs[0]!.digest}`;
    while (left > 0) expect((await pull(path, blobs[0]!.body)).status).toBe(503);
    expect((await pull(path, blobs[0]!.body)).verdict).toBe('right');
  });
});
