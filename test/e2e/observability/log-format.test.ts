import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';

beforeAll(build, 180_000);

describe('--log-format pretty', () => {
  it('writes lines for people, one for each event, whatever clients ask for', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), '[]\n');
    const args = ['--listen', '127.0.0.1:0', '--log-format', 'pretty', 'filesystem', '--root', folder.file('data')];
    await using program = await Program.start(args, { cwd: folder.path });
    const url = /listening on (http:\S+)/.exec(program.stdout)![1]!;
    await request(`${url}/foo%0aINFO%1b%5b31m`);
    await until('the request is logged', () => program.stdout.includes('request'));
    program.kill('SIGTERM');
    expect((await program.end).code).toBe(0);
    const lines = program.stdout.trimEnd().split('\n');
    expect(lines.filter((line) => !/^\[\d\d:\d\d:\d\d\.\d{3}\] (INFO|WARN): /.test(line))).toEqual([]);
    expect(lines.filter((line) => line.includes('request') && line.includes('"status":404'))).toHaveLength(1);
    // Colours are for terminals, and nobody else may paint them.
    expect(program.stdout).not.toMatch(/\u001b/);
  });
});
