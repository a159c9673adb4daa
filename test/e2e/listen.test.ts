import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { Folder } from './support/folder.js';
import { build, Program } from './support/program.js';

/** A system without IPv6, as far as servers can tell. */
const withoutIpv6 = (code: string) => `
  import net from 'node:net';
  const { listen } = net.Server.prototype;
  net.Server.prototype.listen = function (options, ...rest) {
    if (!String(options?.host).includes(':')) return listen.call(this, options, ...rest);
    const error = Object.assign(new Error('listen ${code}'), { code: '${code}', syscall: 'listen' });
    process.nextTick(() => this.emit('error', error));
    return this;
  };
`;

const hasIpv6 = await (async () => {
  const server = createServer().listen({ host: '::1', port: 0 });
  const isThere = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.close();
  return isThere;
})();

beforeAll(build, 180_000);

const portOf = ({ url }: Program) => url.slice(url.lastIndexOf(':') + 1);
const statusAt = (host: string, program: Program) =>
  request(`http://${host}:${portOf(program)}/v2/`).then(({ status }) => status);

describe('--listen on all addresses', { timeout: 60_000 }, () => {
  it.runIf(hasIpv6).each([':0', '[::]:0', '[0:0::0]:0'])('%s serves IPv4 and IPv6', async (address) => {
    await using folder = await Folder.make();
    await using program = await Program.start(['--listen', address], { cwd: folder.path });
    expect(program.url).toMatch(/^http:\/\/\[::\]:\d+$/);
    expect([await statusAt('127.0.0.1', program), await statusAt('[::1]', program)]).toEqual([200, 200]);
  });

  it.runIf(hasIpv6)('serves IPv4 and IPv6 with several workers', async () => {
    await using folder = await Folder.make();
    await using program = await Program.start(['--listen', ':0', '--workers', '2'], { cwd: folder.path });
    expect([await statusAt('127.0.0.1', program), await statusAt('[::1]', program)]).toEqual([200, 200]);
  });

  it.each([
    [':0', 'EAFNOSUPPORT', []],
    [':0', 'EADDRNOTAVAIL', []],
    ['[::]:0', 'EAFNOSUPPORT', []],
    [':0', 'EAFNOSUPPORT', ['--workers', '2']],
    [':0', 'EAFNOSUPPORT', ['--admin-listen', '[::]:0']],
  ])('%s serves IPv4 where IPv6 is off (%s) %j', async (address, code, more) => {
    await using folder = await Folder.make();
    await writeFile(folder.file('off.mjs'), withoutIpv6(code));
    const env = { NODE_OPTIONS: `--import ${folder.file('off.mjs')}` };
    await using program = await Program.start(['--listen', address, ...more], { cwd: folder.path, env });
    expect(program.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
    expect(await statusAt('127.0.0.1', program)).toBe(200);
    if (more[0] === '--admin-listen') expect(program.stdout).toMatch(/serving \/_admin at http:\/\/0\.0\.0\.0:\d+/);
  });

  it('an address of IPv6 where IPv6 is off ends the start with a reason', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('off.mjs'), withoutIpv6('EAFNOSUPPORT'));
    const env = { NODE_OPTIONS: `--import ${folder.file('off.mjs')}` };
    const { code, stderr } = await Program.run(['--listen', '[::1]:0'], { cwd: folder.path, env });
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot listen on [::1]:0: EAFNOSUPPORT')]);
  });
});
