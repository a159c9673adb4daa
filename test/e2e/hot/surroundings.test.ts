import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { adminServerOf } from '../../../src/process/admin.server.js';
import { DrainService } from '../../../src/distribution/server/drain.service.js';
import { request } from '../../fakes/request.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Receiver } from '../events/support/receiver.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';
import { Twins } from './support/twins.js';

const image = makeImage({ layers: [60_000], seed: 'hot surroundings' });
const app = '/v2/registry.test/team/app';
const target = `${app}/manifests/1`;
const get = (path = target, more = '') => `GET ${path} HTTP/1.1\r\nhost: m\r\nx-request-id: plain\r\n${more}\r\n`;

async function warm(optionsOf?: Parameters<typeof Twins.start>[0], paths = [target]): Promise<Twins> {
  const twins = await Twins.start(optionsOf);
  twins.registry.addImage('team/app', image, ['1']);
  for (let time = 0; time < 3; time += 1) {
    for (const path of paths) await twins.expectSame(get(path));
    for (const mirror of twins.both) await mirror.settled();
  }
  return twins;
}

describe('a response before the framework', () => {
  it('is told to webhooks, as one from the framework is', async () => {
    const receivers = [await Receiver.start(), await Receiver.start()];
    const [first, second] = [...receivers];
    const settingsOf = () => ({ webhooks: `- { name: ci, url: '${receivers.shift()!.url}', events: [pull] }` });
    await using twins = await warm(settingsOf);
    const before = twins.count;
    for (const path of [target, '/registry.test/v2/team/app/manifests/1', '/v2/team/app/manifests/1?ns=registry.test'])
      for (let time = 0; time < 2; time += 1) await twins.expectSame(get(path, 'user-agent: x\r\n'));
    await twins.expectSame(get(target, `if-none-match: "${image.manifest.digest}"\r\n`));
    await twins.expectSame(get(target, 'oci-registry-follower: http://10.0.0.1:1\r\n'));
    await twins.expectSame(get(target, 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n'));
    expect(twins.count - before).toBe(5);
    const eventsOf = ({ events }: Receiver) =>
      JSON.stringify(events)
        .replaceAll(/"(id|timestamp|addr|instanceID)":"[^"]*"/g, '"$1":…')
        .replaceAll(/127\.0\.0\.1:\d+/g, '…');
    await until('both are told', () => first!.events.length === 10 && second!.events.length === 10);
    expect(eventsOf(first!)).toBe(eventsOf(second!));
    for (const receiver of [first!, second!]) await receiver[Symbol.asyncDispose]();
  });

  it('comes from the framework while the server drains, and ends the connection', async () => {
    await using twins = await warm();
    for (const mirror of twins.both) mirror.app.get(DrainService).announce();
    const before = twins.count;
    expect(await twins.expectSame(get())).toMatch(/^Connection: close\r$/m);
    expect(twins.count).toBe(before);
  });

  it('is not at the admin address', async () => {
    await using twins = await warm();
    const admin = adminServerOf(twins.hot.app).listen(0, '127.0.0.1');
    await once(admin, 'listening');
    const { port } = admin.address() as AddressInfo;
    const before = twins.count;
    const { status } = await request(`http://127.0.0.1:${port}${target}`);
    admin.close();
    expect([status, twins.count]).toEqual([404, before]);
  });

  it('is cut when its client takes nothing', { timeout: 30_000 }, async () => {
    const blob = `${app}/blobs/${image.layers[0]!.digest}`;
    await using twins = await warm(() => ({ server: { clientTimeout: 1_000 } }), [blob]);
    const before = twins.count;
    const sockets = twins.both.map((mirror) => {
      const socket = connect(Number(new URL(mirror.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.pause();
      socket.write(get(blob).repeat(400));
      return socket;
    });
    const drains = twins.both.map((mirror) => mirror.app.get(DrainService));
    await until('both wait for their clients', () => drains.every(({ count }) => count === 1));
    expect(twins.count - before).toBeGreaterThan(1);
    await until('both are cut', () => drains.every(({ count }) => count === 0), 20_000);
    expect(twins.count - before).toBeLessThan(400);
    for (const socket of sockets) socket.destroy();
  });
});

describe('the program', { timeout: 60_000 }, () => {
  beforeAll(build, 180_000);

  it('has written the lines of all its responses when SIGTERM ends it', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start();
    registry.addImage('team/app', image, ['1']);
    const upstreams = `- { namespace: registry.test, host: '${registry.host}', tls: false }`;
    await writeFile(folder.file('upstreams.yaml'), upstreams);
    const options = ['--listen', '127.0.0.1:0', '--upstream-config-file', folder.file('upstreams.yaml')];
    await using program = await Program.start([...options, 'filesystem', '--root', folder.file('content')]);
    const socket = connect(Number(new URL(program.url).port), '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
    socket.write(get().repeat(2_000));
    await until('everything is sent', () => heard.split('HTTP/1.1 200 OK').length > 2_000, 30_000);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
    socket.destroy();
    const lines = program.stdout.split('\n').filter((line) => line.includes('"msg":"request"'));
    expect(lines).toHaveLength(2_000);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ id: 'plain', repository: 'registry.test/team/app', status: 200 });
  });
});
