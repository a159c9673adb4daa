import { writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Folder } from '../../../test/e2e/support/folder.js';
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
