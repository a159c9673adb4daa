import { afterEach, describe, expect, it, vi } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { Secret } from '../../config/values/secret.js';
import { CredentialError, type CredentialSource, type UpstreamCredentials } from './credential.source.js';
import { RefreshedCredentials } from './refreshed.credentials.js';

const hour = 3_600_000;

afterEach(() => void vi.useRealTimers());

/** A source that gives `password-1`, `password-2` and so on, and what came of it. */
function make({ life = hour, watched = false } = {}) {
  const clock = new HandClock();
  const seen = { fetches: 0, failures: [] as string[], replaced: [] as boolean[] };
  const control = {
    fail: undefined as Error | undefined,
    mark: 'a',
    life: life as number | undefined,
    user: 'user' as string | undefined,
    /** What a fetch waits for. */
    gate: Promise.resolve(),
    isStuck: false,
    /** What a look at files waits for. */
    looking: undefined as Promise<string> | undefined,
  };
  const source: CredentialSource = {
    kind: 'ecr',
    fetch: async (): Promise<UpstreamCredentials | undefined> => {
      seen.fetches += 1;
      const number = seen.fetches;
      await control.gate;
      if (control.isStuck) await new Promise(() => undefined);
      if (control.fail) throw control.fail;
      const { user: username } = control;
      if (username === undefined) return undefined;
      const expiresAt = control.life === undefined ? {} : { expiresAt: clock.now() + control.life };
      return {
        username,
        password: new Secret(`password-${number}`),
        kind: 'password',
        identity: 'someone',
        ...expiresAt,
      };
    },
    ...(watched && { mark: () => control.looking ?? Promise.resolve(control.mark) }),
  };
  const refreshed = new RefreshedCredentials(() => Promise.resolve(source), '', clock, {
    fetched: () => undefined,
    failed: (message) => void seen.failures.push(message),
    replaced: (isOther) => void seen.replaced.push(isOther),
  });
  const get = async () => (await refreshed.get())?.password.reveal();
  return { clock, seen, control, refreshed, get };
}

const flush = () => new Promise((resolve) => setImmediate(resolve));
/** Seconds. */
const pass = (clock: HandClock, milliseconds: number) => clock.pass(milliseconds / 1000);

describe('credentials that a source gave', () => {
  it('are fetched once for all who wait', async () => {
    const { get, seen, control } = make();
    let open = () => {};
    control.gate = new Promise((resolve) => (open = resolve));
    const all = Promise.all(Array.from({ length: 1_000 }, get));
    await flush();
    open();
    expect(new Set(await all)).toEqual(new Set(['password-1']));
    expect(seen.fetches).toBe(1);
  });

  it('are fetched once when they end while a thousand ask', async () => {
    const { get, seen, clock } = make();
    await get();
    pass(clock, hour);
    expect(new Set(await Promise.all(Array.from({ length: 1_000 }, get)))).toEqual(new Set(['password-2']));
    expect(seen.fetches).toBe(2);
  });

  it('are fetched again at half of their life, while the earlier ones are used', async () => {
    const { get, seen, clock } = make();
    await get();
    pass(clock, 0.44 * hour);
    await get();
    await flush();
    expect(seen.fetches).toBe(1);
    pass(clock, 0.12 * hour);
    expect(await get()).toBe('password-1');
    await flush();
    expect(await get()).toBe('password-2');
    expect(seen.fetches).toBe(2);
  });

  it('are kept until their end when the source fails, and asked for with growing pauses', async () => {
    const { get, seen, clock, control } = make();
    await get();
    pass(clock, 0.56 * hour);
    control.fail = new CredentialError('the cloud is out');
    for (let second = 0; second < 600; second += 1) {
      pass(clock, 1_000);
      expect(await get()).toBe('password-1');
      await flush();
    }
    expect(seen.fetches).toBeGreaterThan(8);
    expect(seen.fetches).toBeLessThan(22);
    pass(clock, 0.44 * hour);
    await expect(get()).rejects.toThrow('the cloud is out');
    control.fail = undefined;
    pass(clock, 73_000);
    expect(await get()).toMatch(/password/);
  });

  it('that are missing are not asked for at each request', async () => {
    const { get, seen, clock, control } = make();
    control.fail = new CredentialError('no role');
    for (let count = 0; count < 100; count += 1) await expect(get()).rejects.toThrow('no role');
    expect(seen.fetches).toBe(1);
    pass(clock, 1_500);
    control.fail = undefined;
    expect(await get()).toBe('password-2');
  });

  it('are not waited for longer than 30 s, whatever the source does', async () => {
    const { get, control } = make();
    control.isStuck = true;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const failed = expect(get()).rejects.toThrow('did not respond within 30 s');
    await vi.advanceTimersByTimeAsync(30_000);
    await failed;
  });

  it('have failures that show nothing of an unexpected error', async () => {
    const { get, control } = make();
    control.fail = Object.assign(new Error('planted secret'), { code: 'ECONNRESET' });
    await expect(get()).rejects.toThrow(/^cannot be used \(ECONNRESET\)$/);
  });

  it('are used for a while though they seem to have ended: the clock here may be ahead', async () => {
    const { get, seen, clock, control } = make();
    control.life = -hour;
    expect(await get()).toBe('password-1');
    expect(await get()).toBe('password-1');
    pass(clock, 61_000);
    expect(await get()).toBe('password-2');
    expect(seen.fetches).toBe(2);
  });

  it('are not used a moment before their end', async () => {
    const { get, clock } = make({ life: 100_000 });
    await get();
    pass(clock, 96_000);
    expect(await get()).toBe('password-2');
  });

  it('without a known end are fetched again in the background now and then', async () => {
    const { get, seen, clock, control } = make();
    control.life = undefined;
    await get();
    pass(clock, 700_000);
    expect(await get()).toBe('password-1');
    await flush();
    expect(await get()).toBe('password-2');
    expect(seen.fetches).toBe(2);
  });

  it('may be none, which is looked at again after a minute', async () => {
    const { get, seen, clock, control, refreshed } = make();
    control.user = undefined;
    expect(await get()).toBeUndefined();
    expect(refreshed.isEmpty).toBe(true);
    control.user = 'user';
    pass(clock, 70_000);
    await get();
    await flush();
    expect(await get()).toBe('password-2');
    expect(seen.replaced).toEqual([true]);
  });
});

describe('a file that a source reads', () => {
  it('counts within a second of its change', async () => {
    const { get, seen, clock, control } = make({ watched: true });
    expect(await get()).toBe('password-1');
    control.mark = 'b';
    expect(await get()).toBe('password-1');
    pass(clock, 1_000);
    expect(await get()).toBe('password-2');
    pass(clock, 1_000);
    expect(await get()).toBe('password-2');
    expect(seen.fetches).toBe(2);
  });

  it('on a file system that does not respond keeps nobody waiting for long', async () => {
    const { get, clock, control } = make({ watched: true });
    await get();
    let respond = (_: string) => {};
    control.looking = new Promise((resolve) => (respond = resolve));
    pass(clock, 1_000);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = get();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await waiting).toBe('password-1');
    expect(await get()).toBe('password-1');
    vi.useRealTimers();
    control.looking = undefined;
    respond('b');
    await vi.waitFor(async () => expect(await get()).toBe('password-2'));
  });

  it('with a mistake changes nothing, and counts as soon as it is corrected', async () => {
    const { get, clock, control, seen } = make({ watched: true });
    await get();
    control.mark = 'b';
    control.fail = new CredentialError('is torn');
    pass(clock, 1_000);
    expect(await get()).toBe('password-1');
    expect(seen.failures).toEqual(['is torn']);
    control.mark = 'c';
    control.fail = undefined;
    pass(clock, 1_000);
    expect(await get()).toBe('password-3');
  });
});

describe('credentials that a registry refuses', () => {
  it('are fetched again once for all that were refused', async () => {
    const { refreshed, seen, get } = make();
    const refused = await refreshed.get();
    const renewed = await Promise.all(Array.from({ length: 100 }, () => refreshed.renew(refused)));
    expect(new Set(renewed)).toEqual(new Set([true]));
    expect(await get()).toBe('password-2');
    expect(await refreshed.renew(refused)).toBe(true);
    expect(seen.fetches).toBe(2);
    expect(seen.replaced).toEqual([false]);
  });

  it('do not have the source asked at each refusal', async () => {
    const { refreshed, seen, clock } = make();
    await refreshed.renew(await refreshed.get());
    for (let count = 0; count < 100; count += 1) expect(await refreshed.renew(await refreshed.get())).toBe(false);
    expect(seen.fetches).toBe(2);
    pass(clock, 10_000);
    expect(await refreshed.renew(await refreshed.get())).toBe(true);
  });

  it('have a changed file read at any time', async () => {
    const { refreshed, seen, control } = make({ watched: true });
    await refreshed.renew(await refreshed.get());
    control.mark = 'b';
    expect(await refreshed.renew(await refreshed.get())).toBe(true);
    expect(seen.fetches).toBe(3);
  });

  it('stay in use while there are no others', async () => {
    const { refreshed, control, get } = make();
    const refused = await refreshed.get();
    control.fail = new CredentialError('the cloud is out');
    expect(await refreshed.renew(refused)).toBe(false);
    expect(await get()).toBe('password-1');
  });
});
