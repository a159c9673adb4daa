import { Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { EndpointSettings, UpstreamSettings } from '../../config/upstream.settings.js';
import { Dispatcher } from './dispatcher.js';
import type { Question, RegistrySession } from '../sign-in/registry.session.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';
import { Upstream } from '../upstream.js';

type Said = number | UpstreamErrorKind;

let clock: HandClock;
let dispatcher: Dispatcher;
let upstream: Upstream;
/** What each host answers. */
let says: Record<string, Said>;
let headers: Record<string, string>;
/** Hosts that were asked, in order. */
let asked: string[];
let bodies: PassThrough[];

beforeEach(() => {
  clock = new HandClock();
  [says, headers, asked, bodies] = [{}, {}, [], []];
  const fallbackHosts = ['second.test', 'third.test'].map((host) => Object.assign(new EndpointSettings(), { host }));
  const settings = { namespace: 'registry.test', host: 'first.test', fallbackHosts, maxConnections: 4 };
  upstream = new Upstream(Object.assign(new UpstreamSettings(), settings), true);
  dispatcher = new Dispatcher({ ask: respond } as unknown as RegistrySession, clock);
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
  vi.spyOn(Logger.prototype, 'log').mockReturnValue();
});
afterEach(() => void vi.restoreAllMocks());

function respond({ upstream: { base } }: Question) {
  asked.push(base.host);
  const said = says[base.host] ?? 200;
  if (typeof said === 'string') return Promise.reject(new UpstreamError(said, `${base.host}: ${said}`));
  const body = new PassThrough();
  bodies.push(body);
  return Promise.resolve({ status: said, headers, body: body as unknown as IncomingMessage, host: base.host });
}

/** Which host's answer is had, or how it failed. */
async function ask(repository = 'app', kind: 'manifest-get' | 'blob' = 'manifest-get') {
  try {
    const question = { upstream, repository, method: 'GET', path: '/v2/', headers: {} } as const;
    const { host, status, fallback, body } = await dispatcher.ask(kind, question);
    body.destroy();
    return { host, status, fallback };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { error: error.kind, retryAfter: error.retryAfter };
  }
}

describe('a question', () => {
  it('is answered by the upstream itself while it can', async () => {
    for (const status of [200, 206, 301, 400, 401, 403, 404, 405, 410, 416, 501]) {
      says['first.test'] = status;
      expect(await ask()).toEqual({ host: 'first.test', status, fallback: undefined });
    }
    for (const kind of ['missing', 'unauthorized', 'denied', 'refused', 'wrong'] as const) {
      says['first.test'] = kind;
      expect(await ask()).toMatchObject({ error: kind });
    }
    expect(new Set(asked)).toEqual(new Set(['first.test']));
  });

  it.each([408, 429, 500, 502, 503, 504, 'unavailable', 'timeout', 'unresolved', 'rate-limited'] as const)(
    'goes to the first fallback that answers when the upstream says %s',
    async (failure) => {
      says['first.test'] = failure;
      expect(await ask()).toEqual({ host: 'second.test', status: 200, fallback: 'second.test' });
      says['second.test'] = failure;
      expect(await ask()).toEqual({ host: 'third.test', status: 200, fallback: 'third.test' });
    },
  );

  it.each([401, 403, 404, 405, 500, 429, 'missing', 'unauthorized', 'denied', 'wrong', 'refused', 'timeout'] as const)(
    'is not answered by the %s of a fallback',
    async (refusal) => {
      says = { 'first.test': 502, 'second.test': refusal, 'third.test': 200 };
      expect(await ask()).toMatchObject({ host: 'third.test', status: 200 });
      says['third.test'] = refusal;
      expect(await ask()).toMatchObject({ error: 'unavailable' });
    },
  );

  it('is answered by the upstream again when it is back', async () => {
    says = { 'first.test': 503 };
    for (let count = 0; count < 10; count += 1) expect(await ask()).toMatchObject({ fallback: 'second.test' });
    says = {};
    expect(await ask()).toMatchObject({ fallback: 'second.test' });
    clock.pass(2);
    expect(await ask()).toMatchObject({ fallback: undefined });
    expect(asked.filter((host) => host === 'first.test')).toHaveLength(4);
  });

  it('fails with what the upstream says, not its fallbacks, and when it may be asked again', async () => {
    says = { 'first.test': 429, 'second.test': 500, 'third.test': 'unresolved' };
    headers = { 'retry-after': '30' };
    expect(await ask()).toEqual({ error: 'rate-limited', retryAfter: 30 });
    clock.pass(10);
    expect(await ask()).toEqual({ error: 'rate-limited', retryAfter: 20 });
  });

  it('obeys a Retry-After that is a date, and ignores what is none', async () => {
    says = { 'first.test': 503, 'second.test': 404, 'third.test': 404 };
    headers = { 'retry-after': new Date(clock.now() + 90_000).toUTCString() };
    expect(await ask()).toEqual({ error: 'unavailable', retryAfter: 90 });
    expect(await ask()).toEqual({ error: 'unavailable', retryAfter: 90 });
    expect(asked.filter((host) => host === 'first.test')).toHaveLength(1);
    clock.pass(90);
    headers = { 'retry-after': 'soon' };
    expect(await ask()).toEqual({ error: 'unavailable', retryAfter: undefined });
  });

  it('costs a host that is out of order nothing but probes', async () => {
    says = { 'first.test': 500, 'second.test': 'unavailable', 'third.test': 'timeout' };
    for (let count = 0; count < 100; count += 1) expect(await ask()).toMatchObject({ error: 'unavailable' });
    expect(asked).toHaveLength(9);
  });
});

describe('a place for a connection', () => {
  it('is held until the body is read or given up, and free after every other end', async () => {
    const question = { upstream, repository: 'app', method: 'GET', path: '/v2/', headers: {} } as const;
    const [first, second] = [await dispatcher.ask('blob', question), await dispatcher.ask('blob', question)];
    const third = dispatcher.ask('blob', question);
    await new Promise(setImmediate);
    expect(asked).toHaveLength(2);
    first.body.destroy();
    (await third).body.destroy();
    second.body.resume();
    bodies[1]?.end();
    await new Promise(setImmediate);
    const ends: Said[] = [200, 404, 500, 429, 'missing', 'wrong', 'unavailable', 'timeout'];
    for (let count = 0; count < 200; count += 1) {
      says = { 'first.test': ends[count % ends.length] ?? 200, 'second.test': 404, 'third.test': 404 };
      await ask('app', 'blob');
      clock.pass(3_600);
    }
    says = {};
    expect(await ask('app', 'blob')).toMatchObject({ status: 200, fallback: undefined });
  });
});
