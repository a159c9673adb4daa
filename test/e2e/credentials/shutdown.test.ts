import { readFile, writeFile, chmod } from 'node:fs/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { stateOf } from '../../fakes/helper-programs.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';

beforeAll(build, 180_000);

describe('a server that is told to end', () => {
  it('ends the helper that it waits for, and does not wait for its end', async () => {
    await using registry = await FakeRegistry.start({ auth: 'basic' });
    await using folder = await Folder.make();
    await writeFile(folder.file('helper'), `#!/bin/sh\necho $$ >'${folder.file('pid')}'\nexec sleep 600\n`);
    await chmod(folder.file('helper'), 0o755);
    const entry = `- {namespace: team.test, host: '${registry.host}', tls: false, credentials: {helper: {name: '${folder.file('helper')}'}}}`;
    await writeFile(folder.file('upstreams.yaml'), entry);
    const args = [
      '--listen',
      '127.0.0.1:0',
      '--upstream-config-file',
      'upstreams.yaml',
      'filesystem',
      '--root',
      'data',
    ];
    await using program = await Program.start(args, { cwd: folder.path });
    const pull = fetch(`${program.url}/v2/team.test/app/manifests/1`, { signal: AbortSignal.timeout(2_000) });
    const left = expect(pull).rejects.toThrow();
    const pid = await vi.waitFor(() => readFile(folder.file('pid'), 'utf8'), 10_000);
    await left;
    const start = performance.now();
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(20_000);
    await vi.waitFor(async () => expect([undefined, 'Z', 'X']).toContain(await stateOf(pid)), 10_000);
  }, 60_000);
});
