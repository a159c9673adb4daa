import { beforeEach, describe, expect, it } from 'vitest';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { Upstream } from '../upstream.js';
import { LocalLimitError, UpstreamError, type UpstreamErrorKind } from '../upstream-error.js';
import type { RequestKind } from './upstream.health.js';
import { UpstreamOutcome } from './upstream.outcome.js';

const host = 'registry.test';
let upstream: Upstream;
let outcome: UpstreamOutcome;
const make = (credentials = {}) => {
  const settings = Object.assign(new UpstreamSettings(), { namespace: host, host, ...credentials });
  upstream = new Upstream(settings, true);
  outcome = new UpstreamOutcome(upstream, new HandClock());
};
beforeEach(() => make());

const respond = (status: number, kind: RequestKind = 'manifest-get', repository = 'app', from = host) =>
  outcome.noteResponse({ kind, repository }, status, from);
const fail = (error: unknown) => outcome.noteFailure({ kind: 'blob', repository: 'app' }, error);

describe('the outcome of a response', () => {
  it.each([200, 206, 404, 410])('is up: %i', (status) => {
    respond(503);
    respond(status);
    expect(outcome.last.condition).toBe('up');
  });

  it.each([400, 407, 408, 429, 451, 500, 502, 503, 504])('is degraded: %i', (status) => {
    respond(status);
    expect(outcome.last).toMatchObject({ condition: 'degraded', reason: `${host} responded with ${status}` });
  });

  it.each([
    [400, 'manifest-head'],
    [405, 'blob-head'],
    [501, 'manifest-head'],
    [500, 'tag-list'],
    [503, 'referrers'],
    [400, 'referrers'],
  ] as const)('changes nothing where registries may lack an endpoint: %i to %s', (status, kind) => {
    respond(status, kind);
    expect(outcome.last.condition).toBe('not-contacted');
    respond(200);
    respond(status, kind);
    expect(outcome.last.condition).toBe('up');
  });

  it.each([
    [429, 'tag-list'],
    [407, 'manifest-head'],
    [500, 'manifest-head'],
    [408, 'blob-head'],
  ] as const)('is degraded all the same: %i to %s', (status, kind) => {
    respond(status, kind);
    expect(outcome.last.condition).toBe('degraded');
  });

  it('of a download server is no matter of credentials', () => {
    make({ username: 'user', password: 'planted' });
    for (const repository of ['one', 'two']) respond(403, 'blob', repository, 'cdn.test');
    expect(outcome.last).toMatchObject({ condition: 'degraded', reason: 'cdn.test responded with 403' });
  });
});

describe('the outcome without a response', () => {
  const kinds: [UpstreamErrorKind, string][] = [
    ['timeout', 'degraded'],
    ['unavailable', 'degraded'],
    ['unresolved', 'degraded'],
    ['wrong', 'degraded'],
    ['refused', 'degraded'],
    ['rate-limited', 'degraded'],
    ['missing', 'up'],
    ['unauthorized', 'up'],
  ];
  it.each(kinds)('%s is %s', (kind, condition) => {
    fail(new UpstreamError(kind, 'the reason'));
    expect(outcome.last.condition).toBe(condition);
    if (condition === 'degraded') expect(outcome.last.reason).toBe('the reason');
  });

  it.each([new LocalLimitError('too many requests'), new Error('a fault of ours')])('is none of ours: %s', (error) => {
    fail(error);
    expect(outcome.last.condition).toBe('not-contacted');
  });
});
