import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Folder } from '../../../test/e2e/support/folder.js';
import { SystemClock } from '../../config/clock/clock.js';
import { MovingClock } from '../../../test/e2e/support/moving-clock.js';
import { AccessStatistics } from '../access.statistics.js';
import { WatchedFile } from './watched.file.js';

afterEach(() => vi.useRealTimers());

describe('a watched file', () => {
  it('is not named when a password may have been written in place of its path', async () => {
    const context = { clock: new MovingClock(), statistics: new AccessStatistics() };
    const of = (path: string) => new WatchedFile('ldap_password', path, String, context);
    await expect(of('planted').read()).rejects.toThrow('ldap.bind_password_file: ENOENT');
    await expect(of('/nowhere/password').read()).rejects.toThrow('/nowhere/password: ENOENT');
  });

  it('that is being written is not used, and keeps nobody waiting', async () => {
    await using folder = await Folder.make();
    const path = folder.file('users');
    const context = { clock: new SystemClock(), statistics: new AccessStatistics() };
    await writeFile(path, 'old');
    const file = new WatchedFile('users', path, (text) => text, context);
    expect(await file.read()).toBe('old');
    const seen = new Set<string>();
    let content = '';
    for (let round = 0; round < 14; round += 1) {
      await writeFile(path, (content += 'x'));
      const written = performance.now();
      while (performance.now() - written < 100) {
        await file.look();
        seen.add(await file.read());
        await sleep(20);
      }
    }
    expect([...seen]).toEqual(['old']);
    expect(await file.rests()).toBe(true);
    await vi.waitFor(async () => expect(await file.read()).toBe(content), 5_000);
  });

  it('whose file system does not respond keeps nobody waiting for long, and counts when it does', async () => {
    await using folder = await Folder.make();
    const path = folder.file('users');
    const clock = new MovingClock();
    let respond = () => {};
    const silence = new Promise<void>((resolve) => (respond = resolve));
    const parse = async (text: string) => {
      if (text !== 'one') await silence;
      return text;
    };
    await writeFile(path, 'one');
    const file = new WatchedFile('users', path, parse, { clock, statistics: new AccessStatistics() });
    expect(await file.read()).toBe('one');
    await writeFile(path, 'other');
    clock.pass(2);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const read = file.read();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await read).toBe('one');
    expect(file.state.rejected?.reason).toBe('did not respond within 10 s');
    clock.pass(2);
    expect(await file.read()).toBe('one');
    vi.useRealTimers();
    respond();
    await vi.waitFor(() => expect(file.peek()).toBe('other'));
    expect(file.state.rejected).toBeUndefined();
  });
});
