import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Digest } from '../../oci/digest.js';
import { NamespaceTraffic } from '../../registry/statistics/traffic.counts.js';
import type { NamespaceRules } from '../request-target.js';
import { CachedResponses } from './cached.responses.js';

const body = Buffer.from('{}');
const digest = Digest.of(body, 'sha256').toString();
const target = `/v2/a.test%2Fapp/manifests/1`;
const rules = { defaultNamespace: 'a.test', configured: new Set<string>(), hosted: new Set<string>() };

let server: FastifyInstance;
let cached: CachedResponses;
let made: number;
/** Holds up responses while they are made. */
let held: Promise<void>;

beforeEach(() => {
  server = fastify({ exposeHeadRoutes: false });
  cached = new CachedResponses(rules satisfies NamespaceRules);
  made = 0;
  held = Promise.resolve();
  server.decorate('traffic', { of: () => new NamespaceTraffic() });
  cached.noteArrivals(server);
  cached.serve(server);
  server.get('/v2/:repository/manifests/:reference', async (request, reply) => {
    made += 1;
    await held;
    const headers = { 'docker-content-digest': digest, 'content-type': 'text/plain', 'content-length': 2 };
    cached.set(request, { status: 200, headers, body, validity: () => ({}) });
    return reply.headers(headers).send(body);
  });
});
afterEach(() => server.close());

const get = () => server.inject({ url: target, headers: { host: 'm' } });

it('a response is sent again, in the shape in which it was asked for', async () => {
  await get();
  const again = await get();
  expect([again.body, again.headers['content-type'], made]).toEqual(['{}', 'text/plain', 1]);
  expect(cached.find('GET', target, 'm')).toMatchObject({ target, repository: 'a.test/app', reference: '1' });
  expect(cached.find('HEAD', target, 'm')).toBeUndefined();
  expect(cached.find('GET', `${target}?x`, 'm')).toBeUndefined();
});

it('a response that was being made while everything was forgotten is not kept', async () => {
  let release: () => void = () => undefined;
  held = new Promise((resolve) => (release = resolve));
  const first = get();
  await expect.poll(() => made).toBe(1);
  cached.clear();
  release();
  await first;
  expect(cached.find('GET', target, 'm')).toBeUndefined();
  await get();
  expect(made).toBe(2);
  expect(cached.find('GET', target, 'm')).toBeDefined();
});

it('a target is known with its Host where that can name a namespace', async () => {
  rules.hosted.add('own.test');
  await get();
  rules.hosted.clear();
  expect(cached.find('GET', target, 'm')).toBeUndefined();
  rules.hosted.add('own.test');
  expect(cached.find('GET', target, 'own.test')).toBeUndefined();
  expect(cached.find('GET', target, 'm')).toBeDefined();
  rules.hosted.clear();
});
