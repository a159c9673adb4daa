import { once } from 'node:events';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { DrainService } from '../../src/distribution/server/drain.service.js';
import { request } from '../fakes/request.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { makeBlob } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Folder } from './support/folder.js';
import { writeKeyPair } from './support/key-pair.js';
import { Mirror } from './support/mirror.js';
import { build, Program } from './support/program.js';
import { readResponse } from './support/raw.js';
import { dialPlain, dialSecure, heard } from './support/secure-socket.js';
import { Stage } from './support/stage.js';
import { until } from './support/until.js';

beforeAll(build, 180_000);

const anyPort = ['--listen', '127.0.0.1:0'];
const encrypted =
  '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBK\n-----END ENCRYPTED PRIVATE KEY-----\n';
const cutCertificate = (cert: string) => cert.replace(/[\s\S]{100}(?=\n-----END)/, '');

describe('a certificate', () => {
  it('is served with over TLS 1.2 and 1.3 as HTTP/1.1, and not over less', async () => {
    await using folder = await Folder.make();
    const { server, cert } = await writeKeyPair(folder);
    await using mirror = await Mirror.start({ server });
    const reply = await request(`${mirror.url}/v2/`, { ca: cert });
    expect([reply.status, reply.body.toString()]).toEqual([200, '{}']);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ca: cert, minVersion: version, maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] };
      const socket = await dialSecure(mirror.url, options);
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, 'http/1.1']);
      expect(socket.getCipher().name).toMatch(/GCM|POLY1305/);
      socket.destroy();
    }
    const old = { ca: cert, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(dialSecure(mirror.url, old)).rejects.toThrow(/alert|protocol/i);
    const weak = { ca: cert, maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:ECDHE-ECDSA-AES128-SHA' } as const;
    await expect(dialSecure(mirror.url, weak)).rejects.toThrow(/alert|handshake/i);
    expect(mirror.log).not.toMatch(/"level":[456]0/);
  });

  it.concurrent.each<[string, (pair: { cert: string; key: string }, folder: Folder) => string[], string]>([
    ['without its key', (_, folder) => ['--tls-cert', folder.file('tls.crt')], '--tls-key: missing'],
    ['that is only a key', (_, folder) => ['--tls-key', folder.file('tls.key')], '--tls-cert: missing'],
  ])('%s is a mistake that names both', async (_, flags, start) => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    const { code, stderr } = await Program.run([...anyPort, ...flags(pair, folder)], { cwd: folder.path });
    expect([code, stderr.split('\n').length]).toEqual([2, 2]);
    expect(stderr.startsWith(start)).toBe(true);
    for (const name of ['--tls-cert', '--tls-key']) expect(stderr).toContain(name);
  });

  it.concurrent.each<[string, Partial<{ cert: string; key: string }>, RegExp]>([
    ['of another key', { key: makeCertificate().key }, /^--tls-cert: a file: does not match the private key/],
    ['that has expired', makeCertificate(undefined, [-9, -1]), /^--tls-cert: a file: expired at 20/],
    ['that is not valid yet', makeCertificate(undefined, [1, 9]), /^--tls-cert: a file: is not valid before 20/],
    ['that is none', { cert: 'planted' }, /^--tls-cert: a file: contains no PEM certificate/],
    ['that is empty', { cert: '' }, /^--tls-cert: a file: contains no PEM certificate/],
    [
      'that is cut',
      { cert: cutCertificate(makeCertificate().cert) },
      /^--tls-cert: a file: contains no PEM certificate/,
    ],
    ['with a key that is none', { key: 'planted' }, /^--tls-key: a file: contains no PEM private key/],
    ['with a key that has a passphrase', { key: encrypted }, /^--tls-key: a file: is encrypted/],
  ])('%s ends the start with one line', async (_, wrong, line) => {
    await using folder = await Folder.make();
    const { flags, key } = await writeKeyPair(folder, { ...makeCertificate(), ...wrong });
    const { code, stdout, stderr } = await Program.run([...anyPort, ...flags], { cwd: folder.path });
    expect([code, stdout, stderr.split('\n').length]).toEqual([2, '', 2]);
    expect(stderr).toMatch(line);
    expect(stderr).not.toMatch(/planted|Error:|node_modules/);
    for (const part of key.split('\n').filter((text) => text.length > 20)) expect(stderr).not.toContain(part);
  });

  it.concurrent('that is not there is told together with a key that is not', async () => {
    const args = [...anyPort, '--tls-cert', '/nowhere/tls.crt', '--tls-key', '/nowhere/tls.key'];
    const { code, stderr } = await Program.run(args);
    const lines = stderr.trimEnd().split('\n');
    expect([code, lines.map((line) => line.split(':')[0])]).toEqual([2, ['--tls-cert', '--tls-key']]);
    for (const line of lines) expect(line).toContain('cannot be read: ENOENT');
  });
});

describe('over TLS', { concurrent: true, timeout: 60_000 }, () => {
  const blob = makeBlob(16 * 1024 * 1024, 'sent in secret');
  const path = `team/app/blobs/${blob.digest}`;

  /** A mirror that speaks https and has the blob in its store. */
  async function open(
    folder: Folder,
    options: { clientTimeout?: number; maxConnections?: number; maxConnectionsPerAddress?: number } = {},
  ) {
    const { server, cert: ca } = await writeKeyPair(folder);
    const stage = await Stage.start({ server: { ...server, ...options } });
    stage.registry.addBlob('team/app', blob);
    const secure = { ca, agent: false };
    expect((await stage.get(path, {}, { ca })).body.equals(blob.body)).toBe(true);
    await stage.mirror.settled();
    const line = (target: string) => `GET /v2/registry.test/${target} HTTP/1.1\r\nhost: m\r\n\r\n`;
    const dispose = () => stage[Symbol.asyncDispose]();
    return { stage, ca, secure, line, url: stage.mirror.url, [Symbol.asyncDispose]: dispose };
  }

  it('bodies and ranges are right, and their bytes are counted', async () => {
    await using folder = await Folder.make();
    await using opened = await open(folder);
    const { stage, ca } = opened;
    const whole = await stage.get(path, {}, { ca });
    expect([whole.headers['x-cache'], whole.body.equals(blob.body)]).toEqual(['HIT', true]);
    const part = await stage.get(path, { range: 'bytes=1000-9999999' }, { ca });
    expect([part.status, part.body.equals(blob.body.subarray(1000, 10_000_000))]).toEqual([206, true]);
    await stage.mirror.settled();
    const lines = () => stage.mirror.log.split('\n').filter((line) => line.includes('"status":206'));
    await until('it is logged', () => lines().length > 0);
    const { bytes } = JSON.parse(lines()[0]!) as { bytes: number };
    expect(bytes).toBeGreaterThanOrEqual(part.body.length);
    expect(bytes).toBeLessThan(part.body.length * 1.02 + 10_000);
  });

  it.each([
    ['plain http', 'GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n'],
    ['anything else', '\0\x01\x02 what is this \xff'.repeat(100)],
  ])('%s is closed without a word, a log line or a trace', async (_, bytes) => {
    await using folder = await Folder.make();
    await using opened = await open(folder);
    const { stage, ca, url } = opened;
    for (let count = 0; count < 200; count += 1) {
      const socket = await dialPlain(url);
      socket.write(bytes, 'latin1');
      const { said, after } = await heard(socket);
      expect(said.toString('latin1')).not.toContain('{');
      expect(after).toBeLessThan(2_000);
    }
    expect(stage.mirror.log.match(/"level":[3456]0/g)).toHaveLength(1);
    expect((await request(`${url}/v2/`, { ca })).status).toBe(200);
    const server = stage.mirror.app.getHttpServer();
    const connections = () =>
      new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
    await until('all are closed', async () => (await connections()) === 0);
  });

  it.each([
    ['says nothing', ''],
    ['says half a hello', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('a client that %s is cut off after 10 s', async (_, bytes) => {
    await using folder = await Folder.make();
    await using opened = await open(folder);
    const { url } = opened;
    const socket = await dialPlain(url);
    socket.write(bytes, 'latin1');
    const { after } = await heard(socket);
    expect(after).toBeGreaterThan(9_000);
    expect(after).toBeLessThan(20_000);
  });

  it('a client that sends its header byte by byte is told 408 after 10 s', async () => {
    await using folder = await Folder.make();
    await using opened = await open(folder);
    const { secure, url } = opened;
    const socket = await dialSecure(url, secure);
    socket.write('GET /v2/ HTTP/1.1\r\nhost: m\r\nx-slow: ');
    const drip = setInterval(() => socket.writable && socket.write('a'), 500);
    const { said, after } = await heard(socket);
    clearInterval(drip);
    expectError(readResponse(said)!, 408, 'REQUEST_INVALID');
    expect(after).toBeGreaterThan(9_000);
    expect(after).toBeLessThan(20_000);
  });

  it('a client that takes nothing is cut off after --client-timeout, and a patient one is not', async () => {
    await using folder = await Folder.make();
    await using opened = await open(folder, { clientTimeout: 4_000 });
    const { stage, secure, line, url } = opened;
    const [stuck, slow] = [await dialSecure(url, secure), await dialSecure(url, secure)];
    stuck.pause();
    for (const socket of [stuck, slow]) socket.write(line(path).replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
    let received = 0;
    slow.on('data', (chunk: Buffer) => {
      received += chunk.length;
      // 2 MB a second, in gulps.
      slow.pause();
      setTimeout(() => slow.resume(), chunk.length / 2_000);
    });
    const drain = stage.mirror.app.get(DrainService);
    await until('both are being sent', () => drain.count === 2);
    await once(slow, 'close');
    await until('the one that is stuck is cut', () => drain.count === 0, 15_000);
    expect(received).toBeGreaterThan(blob.body.length);
    stuck.destroy();
  });

  it('--max-connections holds', async () => {
    await using folder = await Folder.make();
    await using opened = await open(folder, { maxConnections: 5, maxConnectionsPerAddress: 5 });
    const { ca, secure, url, line } = opened;
    const dialBusy = async () => {
      const socket = await dialSecure(url, secure);
      socket.write(line(path));
      await once(socket, 'readable');
      return socket;
    };
    const held = [];
    while (held.length < 5) held.push(await dialBusy());
    const { said, after } = await heard(await dialPlain(url));
    expect([said.length, after < 1_000]).toEqual([0, true]);
    held.pop()!.destroy();
    await until(
      'there is room',
      async () => (await request(`${url}/v2/`, { ca }).catch(() => undefined))?.status === 200,
    );
    for (const socket of held) socket.destroy();
  });

  it('answers that wait behind one that a client abandoned hold nothing', async () => {
    await using folder = await Folder.make();
    await using opened = await open(folder);
    const { stage, ca, secure, line, url } = opened;
    const drain = stage.mirror.app.get(DrainService);
    for (let round = 0; round < 3; round += 1) {
      const socket = await dialSecure(url, secure);
      socket.write(line(path).repeat(21));
      await once(socket, 'readable');
      await until('the first is sent, and no other has begun', () => drain.count === 1);
      socket.destroy();
      await until('nothing is sent any more', () => drain.count === 0, 3_000);
    }
    expect(stage.mirror.log).not.toMatch(/"level":[56]0/);
    expect((await stage.get(path, {}, { ca })).body.equals(blob.body)).toBe(true);
  });

  it('SIGTERM lets a transfer finish, and does not wait for who is still at the handshake', async () => {
    await using folder = await Folder.make();
    const { flags, cert } = await writeKeyPair(folder);
    await using source = await Stage.start();
    source.registry.addBlob('team/app', blob);
    await writeFile(
      folder.file('u.yaml'),
      `- {namespace: registry.test, host: '${source.registry.host}', tls: false}\n`,
    );
    const args = [...anyPort, ...flags, '--upstream-config-file', 'u.yaml'];
    await using program = await Program.start(args, { cwd: folder.path });
    expect(program.url).toMatch(/^https:/);
    const silent = await dialPlain(program.url);
    const idle = await dialSecure(program.url, { ca: cert });
    const sent = https.get(`${program.url}/v2/registry.test/${path}`, { ca: cert, agent: false });
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    await once(response, 'readable');
    const start = performance.now();
    program.kill('SIGTERM');
    await until('it is stopping', () => program.stdout.includes(' received, finishing 1 '));
    for await (const chunk of response) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(blob.body)).toBe(true);
    expect(await program.end).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(8_000);
    for (const socket of [silent, idle]) socket.destroy();
  });
});

describe('another certificate', { concurrent: true, timeout: 60_000 }, () => {
  const isServed = async (url: string, ca: string) =>
    (await request(`${url}/v2/`, { ca }).catch(() => undefined))?.status === 200;

  it('is taken up when a mounted secret is replaced, for new connections, while one goes on', async () => {
    await using folder = await Folder.make();
    const { secret, first, second } = await mountedSecret(folder);
    const args = ['--tls-cert', `${secret}/tls.crt`, '--tls-key', `${secret}/tls.key`];
    await using program = await Program.start([...anyPort, ...args], { cwd: folder.path });
    const { url } = program;
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    expect((await request(`${url}/v2/`, { ca: first.cert, agent })).status).toBe(200);
    await second.mount();
    await until('the new one is served', () => isServed(url, second.cert), 15_000);
    expect(await isServed(url, first.cert)).toBe(false);
    expect((await request(`${url}/v2/`, { ca: first.cert, agent })).status).toBe(200);
    agent.destroy();
    expect(program.log.filter(({ msg }) => String(msg).includes('new certificate, valid until'))).toHaveLength(1);
  });

  it('that is wrong is told in one line and not used, and the next one is', async () => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    await using program = await Program.start([...anyPort, ...pair.flags], { cwd: folder.path });
    const errors = () => program.log.filter(({ level }) => level === 50);
    const other = makeCertificate();
    await writeFile(pair.server.tlsCert, other.cert);
    await until('it is told', () => errors().length > 0, 15_000);
    // Looked at again it is still the same mistake.
    program.kill('SIGHUP');
    await sleep(2_500);
    expect(errors()).toHaveLength(1);
    expect(errors()[0]!['msg']).toMatch(/does not match the private key/);
    expect(await isServed(program.url, pair.cert)).toBe(true);
    await writeFile(pair.server.tlsKey, other.key);
    await until('the right one is served', () => isServed(program.url, other.cert), 15_000);
    expect(errors()).toHaveLength(1);
    const key = await readFile(pair.server.tlsKey, 'utf8');
    for (const part of key.split('\n').filter((text) => text.length > 20)) expect(program.stdout).not.toContain(part);
  });

  it('that is written piece by piece is no mistake', async () => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    await using program = await Program.start([...anyPort, ...pair.flags], { cwd: folder.path });
    const other = makeCertificate();
    const pieces = [
      [pair.server.tlsCert, other.cert.slice(0, 100)],
      [pair.server.tlsCert, other.cert],
      [pair.server.tlsKey, ''],
      [pair.server.tlsKey, other.key],
    ] as const;
    for (const [file, text] of pieces) {
      await writeFile(file, text);
      await sleep(300);
    }
    await until('it is served', () => isServed(program.url, other.cert), 15_000);
    expect(program.log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  it('is taken up at once with SIGHUP', async () => {
    await using folder = await Folder.make();
    const pair = await writeKeyPair(folder);
    await using program = await Program.start([...anyPort, ...pair.flags], { cwd: folder.path });
    const other = await writeKeyPair(folder);
    program.kill('SIGHUP');
    await until('it is served', () => isServed(program.url, other.cert), 900);
    expect(program.isRunning).toBe(true);
  });
});

/** A secret as Kubernetes mounts it: files are links to a folder that is a link, which is replaced by renaming another. */
async function mountedSecret(folder: Folder) {
  const secret = folder.file('secret');
  await mkdir(secret);
  const version = async (name: string) => {
    const pair = makeCertificate();
    await mkdir(`${secret}/${name}`);
    await writeFile(`${secret}/${name}/tls.crt`, pair.cert);
    await writeFile(`${secret}/${name}/tls.key`, pair.key);
    const mount = async () => {
      await symlink(name, `${secret}/..data_tmp`);
      await rename(`${secret}/..data_tmp`, `${secret}/..data`);
    };
    return { ...pair, mount };
  };
  const [first, second] = [await version('..1'), await version('..2')];
  await first.mount();
  for (const name of ['tls.crt', 'tls.key']) await symlink(`..data/${name}`, `${secret}/${name}`);
  return { secret, first, second };
}
