import { Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { EndpointSettings, UpstreamSettings } from '../../config/upstream.settings.js';
import { Dispatcher } from './dispatcher.js';
import type { UpstreamRequest, RegistrySession } from '../sign-in/registry.session.js';
import { UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';
import { Upstream } from '../upstream.js';

type Said = number | UpstreamErrorKind;

let clock: HandClock;
let dispatcher: Dispatcher;
let upstream: Upstream;
/** The response of each host. */
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
  dispatcher = new Dispatcher({ request: respond } as unknown as RegistrySession, clock);
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
  vi.spyOn(Logger.prototype, 'log').mockReturnValue();
});
afterEach(() => void vi.restoreAllMocks());

function respond({ upstream: { base } }: UpstreamRequest) {
  asked.push(base.host);
  const said = says[base.host] ?? 200;
  if (typeof said === 'string') return Promise.reject(new UpstreamError(said, `${base.host}: ${said}`));
  const body = new PassThrough();
  bodies.push(body);
  return Promise.resolve({ status: said, headers, body: body as unknown as IncomingMessage, host: base.host });
}

/** The host that responded, or the error. */
async function send(repository = 'app', kind: 'manifest-get' | 'blob' = 'manifest-get') {
  try {
    const request = { upstream, repository, method: 'GET', path: '/v2/', headers: {} } as const;
    const { host, status, fallback, body } = await dispatcher.send(kind, request);
    body.destroy();
    return { host, status, fallback };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { error: error.kind, retryAfter: error.retryAfter };
  }
}

describe('a request', () => {
  it('goes to the upstream itself while it is available', async () => {
    for (const status of [200, 206, 301, 400, 401, 403, 404, 405, 410, 416, 501]) {
      says['first.test'] = status;
      expect(await send()).toEqual({ host: 'first.test', status, fallback: undefined });
    }
    for (const kind of ['missing', 'unauthorized', 'denied', 'refused', 'wrong'] as const) {
      says['first.test'] = kind;
      expect(await send()).toMatchObject({ error: kind });
    }
    expect(new Set(asked)).toEqual(new Set(['first.test']));
  });

  it.each([408, 429, 500, 502, 503, 504, 'unavailable', 'timeout', 'unresolved', 'rate-limited'] as const)(
    'goes to the first available fallback when the upstream responds %s',
    async (failure) => {
      says['first.test'] = failure;
      expect(await send()).toEqual({ host: 'second.test', status: 200, fallback: 'second.test' });
      says['second.test'] = failure;
      expect(await send()).toEqual({ host: 'third.test', status: 200, fallback: 'third.test' });
    },
  );

  it.each([401, 403, 404, 405, 500, 429, 'missing', 'unauthorized', 'denied', 'wrong', 'refused', 'timeout'] as const)(
    'ignores the %s of a fallback',
    async (refusal) => {
      says = { 'first.test': 502, 'second.test': refusal, 'third.test': 200 };
      expect(await send()).toMatchObject({ host: 'third.test', status: 200 });
      says['third.test'] = refusal;
      expect(await send()).toMatchObject({ error: 'unavailable' });
    },
  );

  it('goes to the upstream again when it has recovered', async () => {
    says = { 'first.test': 503 };
    for (let count = 0; count < 10; count += 1) expect(await send()).toMatchObject({ fallback: 'second.test' });
    says = {};
    expect(await send()).toMatchObject({ fallback: 'second.test' });
    clock.pass(2);
    expect(await send()).toMatchObject({ fallback: undefined });
    expect(asked.filter((host) => host === 'first.test')).toHaveLength(4);
  });

  it('fails with the error and the Retry-After of the upstream, not of its fallbacks', async () => {
    says = { 'first.test': 429, 'second.test': 500, 'third.test': 'unresolved' };
    headers = { 'retry-after': '30' };
    expect(await send()).toEqual({ error: 'rate-limited', retryAfter: 30 });
    clock.pass(10);
    expect(await send()).toEqual({ error: 'rate-limited', retryAfter: 20 });
  });

  it('obeys a Retry-After date, and ignores an invalid one', async () => {
    says = { 'first.test': 503, 'second.test': 404, 'third.test': 404 };
    headers = { 'retry-after': new Date(clock.now() + 90_000).toUTCString() };
    expect(await send()).toEqual({ error: 'unavailable', retryAfter: 90 });
    expect(await send()).toEqual({ error: 'unavailable', retryAfter: 90 });
    expect(asked.filter((host) => host === 'first.test')).toHaveLength(1);
    clock.pass(90);
    headers = { 'retry-after': 'soon' };
    expect(await send()).toEqual({ error: 'unavailable', retryAfter: undefined });
  });

  it('reaches an unavailable host only as a probe', async () => {
    says = { 'first.test': 500, 'second.test': 'unavailable', 'third.test': 'timeout' };
    for (let count = 0; count < 100; count += 1) expect(await send()).toMatchObject({ error: 'unavailable' });
    expect(asked).toHaveLength(9);
  });
});

describe('a connection slot', () => {
  it('is held until the body is read or destroyed, and free after every other outcome', async () => {
    const request = { upstream, repository: 'app', method: 'GET', path: '/v2/', headers: {} } as const;
    const [first, second] = [await dispatcher.send('blob', request), await dispatcher.send('blob', request)];
    const third = dispatcher.send('blob', request);
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
      await send('app', 'blob');
      clock.pass(3_600);
    }
    says = {};
    expect(await send('app', 'blob')).toMatchObject({ status: 200, fallback: undefined });
  });
});
