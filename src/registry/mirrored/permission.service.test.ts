import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { Namespace } from '../../oci/namespace.js';
import { RepositoryRef } from '../../oci/repository.js';
import { StorageError } from '../../storage/storage-error.js';
import type { Permission } from '../../storage/stores/record.store.js';
import type { UpstreamClient } from '../../upstream/upstream.client.js';
import { UpstreamError, type UpstreamErrorKind } from '../../upstream/upstream-error.js';
import type { UpstreamsService } from '../../upstream/upstreams.service.js';
import { PermissionService } from './permission.service.js';

const repository = RepositoryRef.of(Namespace.parse('registry.test'), 'team/app');
const hour = 3_600;

let clock: HandClock;
let settings: UpstreamSettings;
let fallbacks: { readonly settings: UpstreamSettings }[];
let permissions: PermissionService;
let isSlow: boolean;
/** The record as the storage has it when the recheck begins. */
let find: () => Promise<Permission | undefined>;
/** The steps of the recheck: `asked`, `kept`, `forgotten`. */
let events: string[];

beforeEach(() => {
  clock = new HandClock();
  settings = Object.assign(new UpstreamSettings(), { username: 'user', password: 'planted' });
  fallbacks = [];
  isSlow = false;
  events = [];
  find = () => Promise.resolve(undefined);
  const client = { isSlow: () => isSlow, noteSlow: () => void (isSlow = true) } as unknown as UpstreamClient;
  const takesCredentials = () => [{ settings }, ...fallbacks].some((each) => each.settings.takesCredentials);
  const own = {
    get: () => ({ settings, takesCredentials }),
    mayHaveSignedIn: () => false,
    credentialsChangedAt: () => undefined,
  };
  const upstreams = own as unknown as UpstreamsService;
  permissions = new PermissionService(client, upstreams, clock);
});
afterEach(() => void vi.restoreAllMocks());

function recheck(ask: () => Promise<unknown>, forget = () => Promise.resolve()): Promise<void> {
  return permissions.recheck(repository, {
    key: 'content',
    find: () => find(),
    ask: () => {
      events.push('asked');
      return ask();
    },
    keep: () => Promise.resolve(void events.push('kept')),
    forget: () => {
      events.push('forgotten');
      return forget();
    },
  });
}

const refusing = (kind: UpstreamErrorKind) => () => Promise.reject(new UpstreamError(kind, 'no'));
const flush = () => new Promise((resolve) => setImmediate(resolve));

describe('a record', () => {
  it('says whether it took credentials, and when the upstream agreed', () => {
    expect(permissions.permission(repository)).toEqual({ isPrivate: true, agreedAt: clock.now() });
    settings = new UpstreamSettings();
    expect(permissions.permission(repository)).toEqual({ isPrivate: false, agreedAt: clock.now() });
  });

  it('took credentials, too, when a fallback host has some, or when it took some before', () => {
    settings = new UpstreamSettings();
    expect(permissions.permission(repository, { isPrivate: true }).isPrivate).toBe(true);
    expect(permissions.permission(repository, { isPrivate: false }).isPrivate).toBe(false);
    fallbacks = [{ settings: Object.assign(new UpstreamSettings(), { username: 'user', password: 'planted' }) }];
    expect(permissions.permission(repository).isPrivate).toBe(true);
  });

  it('is due when its time has passed, and not a moment before', () => {
    const record = permissions.permission(repository);
    clock.pass(hour - 0.001);
    expect(permissions.isDue(repository, record)).toBe(false);
    clock.pass(0.001);
    expect(permissions.isDue(repository, record)).toBe(true);
  });

  it('is due at once when it is from the future, or when the recheck time is 0', () => {
    expect(permissions.isDue(repository, { isPrivate: true, agreedAt: clock.now() + 1 })).toBe(true);
    settings.accessRecheckTime = 0;
    expect(permissions.isDue(repository, permissions.permission(repository))).toBe(true);
  });

  it('is never due when it took no credentials and there still are none', () => {
    settings = new UpstreamSettings();
    const record = permissions.permission(repository);
    clock.pass(1_000 * hour);
    expect(permissions.isDue(repository, record)).toBe(false);
  });

  it.each([
    ['took credentials that are gone', true],
    ['took none, and there are some now', false],
  ])('that %s is due like any other', (_, isPrivate) => {
    if (isPrivate) settings = new UpstreamSettings();
    const record = { isPrivate, agreedAt: clock.now() };
    expect(permissions.isDue(repository, record)).toBe(false);
    clock.pass(hour);
    expect(permissions.isDue(repository, record)).toBe(true);
  });
});

describe('a recheck', () => {
  it('is asked and recorded once for all who want to know', async () => {
    let agree: (() => void) | undefined;
    const responses = Array.from({ length: 50 }, () =>
      recheck(() => new Promise<void>((resolve) => (agree = resolve))),
    );
    await flush();
    agree?.();
    await Promise.all(responses);
    expect(events).toEqual(['asked', 'kept']);
    await recheck(() => Promise.resolve());
    expect(events).toEqual(['asked', 'kept', 'asked', 'kept']);
  });

  it('does not ask when the upstream has confirmed it since the caller read the record', async () => {
    find = () => Promise.resolve(permissions.permission(repository));
    await recheck(refusing('denied'));
    expect(events).toEqual([]);
    clock.pass(hour);
    const { agreedAt } = permissions.permission(repository);
    find = () => Promise.resolve({ isPrivate: true, agreedAt: agreedAt - hour * 1000 });
    await expect(recheck(refusing('denied'))).rejects.toMatchObject({ kind: 'denied' });
    expect(events).toEqual(['asked', 'forgotten']);
  });

  it('asks when the storage cannot read the record', async () => {
    vi.spyOn(Logger.prototype, 'debug').mockReturnValue();
    find = () => Promise.reject(new StorageError('failed', 'the storage does not answer'));
    await recheck(() => Promise.resolve());
    expect(events).toEqual(['asked', 'kept']);
  });

  it.each(['unauthorized', 'denied', 'missing'] as const)(
    'removes the record when the upstream says %s',
    async (kind) => {
      const responses = Array.from({ length: 50 }, () => recheck(refusing(kind)));
      const outcomes = await Promise.allSettled(responses);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { kind } });
      expect(events).toEqual(['asked', 'forgotten']);
    },
  );

  it.each(['unavailable', 'timeout', 'rate-limited', 'wrong', 'unresolved'] as const)(
    'changes nothing during an outage: %s',
    async (kind) => {
      await recheck(refusing(kind));
      expect(events).toEqual(['asked']);
    },
  );

  it('is refused, and takes nothing away, when it was we who would not ask', async () => {
    await expect(recheck(refusing('refused'))).rejects.toMatchObject({ kind: 'refused' });
    expect(events).toEqual(['asked']);
  });

  it('is refused also when the refusal cannot be recorded', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const full = () => Promise.reject(new Error('the disk is full'));
    await expect(recheck(refusing('denied'), full)).rejects.toMatchObject({ kind: 'denied' });
    expect(warned).toHaveBeenCalledWith('could not remove the record of content: the disk is full');
  });

  it('passes on other errors', async () => {
    await expect(recheck(() => Promise.reject(new TypeError('a mistake')))).rejects.toThrow('a mistake');
    expect(events).toEqual(['asked']);
  });

  it('is skipped while the upstream is slow', async () => {
    isSlow = true;
    await recheck(refusing('denied'));
    expect(events).toEqual([]);
  });
});

describe('a late response', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('applies to later requests', async () => {
    for (const outcome of ['kept', 'forgotten']) {
      events = [];
      isSlow = false;
      let respond: (() => void) | undefined;
      const asked = new Promise<void>((resolve, reject) => {
        respond = () => (outcome === 'kept' ? resolve() : reject(new UpstreamError('denied', 'no')));
      });
      const waiting = recheck(() => asked);
      await vi.advanceTimersByTimeAsync(2_000);
      await waiting;
      expect([isSlow, events]).toEqual([true, ['asked']]);
      respond?.();
      await flush();
      expect(events).toEqual(['asked', outcome]);
    }
  });
});
