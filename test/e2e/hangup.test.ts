import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { Folder } from './support/folder.js';
import { writeKeyPair } from './support/key-pair.js';
import { build, Program } from './support/program.js';
import { until } from './support/until.js';

const anyPort = ['--listen', '127.0.0.1:0'];
const said = ({ log }: Program) =>
  log
    .map(({ msg, worker }) => `${worker === undefined ? '' : `${Number(worker)}: `}${String(msg)}`)
    .filter((line) => line.includes('SIGHUP'));

beforeAll(build, 180_000);

/** Whether the process has a handler for SIGHUP, which is signal 1. */
async function handlesHangup({ pid }: Program): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [, caught = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return (Number.parseInt(caught.slice(-1), 16) & 1) === 1;
}

async function hangUp(program: Program, lines: number): Promise<string[]> {
  program.kill('SIGHUP');
  await until('it says what was read', () => said(program).length >= lines, 15_000);
  return said(program);
}

describe('SIGHUP', { timeout: 60_000 }, () => {
  it('does not end a process without a certificate, and says that there is nothing to read', async () => {
    await using folder = await Folder.make();
    await using program = await Program.start(anyPort, { cwd: folder.path });
    const line = 'SIGHUP: there is no certificate to read again';
    expect(await hangUp(program, 1)).toEqual([line]);
    expect(await hangUp(program, 2)).toEqual([line, line]);
    expect((await request(`${program.url}/v2/`)).status).toBe(200);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('says whether the certificate is the same, new or of no use', async () => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    await using program = await Program.start([...anyPort, ...pair.flags], { cwd: folder.path });
    expect(await hangUp(program, 1)).toEqual(['SIGHUP: the certificate was read again and is unchanged']);
    const broken = ['', 'no certificate', pair.cert.replace(/[\s\S]{100}(?=\n-----END)/, ''), makeCertificate().cert];
    for (const [index, text] of broken.entries()) {
      await writeFile(pair.server.tlsCert, text);
      const last = (await hangUp(program, 2 + index)).at(-1);
      expect(last).toMatch(
        /^SIGHUP: the certificate was read again and cannot be used, the previous one stays: --tls-cert/,
      );
    }
    expect((await request(`${program.url}/v2/`, { ca: pair.cert })).status).toBe(200);
    const next = await writeKeyPair(folder);
    await until(
      'the new one is served',
      async () => (await request(`${program.url}/v2/`, { ca: next.cert }).catch(() => undefined))?.status === 200,
      15_000,
    );
    expect((await hangUp(program, 6)).at(-1)).toMatch(/is unchanged|is new, valid until 20/);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('says what came of the access file and of those that it names', async () => {
    await using folder = await Folder.make();
    const rules = "rules: [{ repositories: ['**'], who: [anonymous], may: [pull] }]\n";
    await writeFile(folder.file('robots'), '');
    await writeFile(folder.file('access.yaml'), `robots_file: robots\n${rules}`);
    const flags = [...anyPort, '--access-file', 'access.yaml'];
    await using program = await Program.start(flags, { cwd: folder.path });
    expect((await hangUp(program, 2))[1]).toBe('SIGHUP: the access file and those that it names are in use: 2');
    await writeFile(folder.file('access.yaml'), 'rules: [');
    await writeFile(folder.file('robots'), 'planted');
    const last = (await hangUp(program, 4))[3];
    expect(last).toMatch(/^SIGHUP: files of access have mistakes, what was read before stays: access.yaml: access: /);
    expect(last).toMatch(/; robots: line 1 is not a name/);
    expect(last).not.toContain('planted');
  });

  it('survives files that are gone', async () => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    const { flags, cert } = pair;
    await using program = await Program.start([...anyPort, ...flags], { cwd: folder.path });
    await rm(pair.server.tlsKey);
    expect((await hangUp(program, 1))[0]).toMatch(/cannot be used, the previous one stays: --tls-key.*ENOENT/);
    expect((await request(`${program.url}/v2/`, { ca: cert })).status).toBe(200);
  });

  it.each([
    ['of one process', []],
    ['of several workers', ['--workers', '2']],
  ])('does not end the start %s', async (_, more) => {
    await using folder = await Folder.make();
    await using program = Program.spawn([...anyPort, ...more], { cwd: folder.path });
    // From when its own code runs: before, nothing can be done about a signal.
    await until('it handles the signal', () => handlesHangup(program), 30_000);
    while (!program.stdout.includes('listening on ') && program.isRunning) {
      program.kill('SIGHUP');
      await sleep(25);
    }
    expect(program.isRunning).toBe(true);
    expect((await request(`${program.url}/v2/`)).status).toBe(200);
    program.kill('SIGTERM');
    const before = performance.now();
    expect(await program.end).toEqual({ code: 0, signal: null });
    // Workers that had not begun to listen to their supervisor have not missed it.
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  it.each([
    ['of one process', []],
    ['of several workers', ['--workers', '2']],
  ])('does not end the start %s before its modules are loaded', async (_, more) => {
    await using folder = await Folder.make();
    // The program replaces this before it loads anything large.
    const script = `const { DateTimeFormat } = Intl;
      Object.defineProperty(Intl, 'DateTimeFormat', {
        configurable: true,
        get: () => DateTimeFormat,
        set: (value) => {
          Object.defineProperty(Intl, 'DateTimeFormat', { value, writable: true });
          process.kill(process.pid, 'SIGHUP');
        },
      });`;
    await writeFile(folder.file('early.cjs'), script);
    const env = { NODE_OPTIONS: `--require=${folder.file('early.cjs')}` };
    await using program = await Program.start([...anyPort, ...more], { cwd: folder.path, env });
    await until('it is met', () => said(program).length > 0, 15_000);
    expect((await request(`${program.url}/v2/`)).status).toBe(200);
  });

  it('reaches every worker, and is ignored by one that gets it from a terminal', async () => {
    await using folder = await Folder.make();
    const { flags } = await writeKeyPair(folder);
    await using program = await Program.start([...anyPort, '--workers', '2', ...flags], { cwd: folder.path });
    await until('both listen', () => program.log.filter(({ msg }) => String(msg).startsWith('listening')).length === 2);
    const lines = await hangUp(program, 3);
    expect(lines.sort()).toEqual([
      '1: SIGHUP: the certificate was read again and is unchanged',
      '2: SIGHUP: the certificate was read again and is unchanged',
      'SIGHUP: 2 workers read their files again',
    ]);
    const workers = program.log.filter(({ msg }) => String(msg).startsWith('listening'));
    expect(workers).toHaveLength(2);
    const children = (await readFile(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8')).trim().split(' ');
    for (const child of children) process.kill(Number(child), 'SIGHUP');
    await sleep(500);
    expect(said(program)).toHaveLength(3);
    expect((await request(`${program.url}/v2/`, { ca: await readFile(flags[1]!, 'utf8') })).status).toBe(200);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });
});
