import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../chaos/support/faulty-storage.js';
import { request } from '../../fakes/request.js';
import { Folder } from '../support/folder.js';
import { Gate } from '../support/gate.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { build, Program } from '../support/program.js';
import { rawRequest } from '../support/raw.js';
import { until } from '../support/until.js';

const ask = async (url: string, path: string) => {
  const { status, body } = await request(`${url}${path}`);
  return [status, JSON.parse(body.toString())] as const;
};

describe('/healthz', () => {
  it('says that the process is alive, whatever the storage does', async () => {
    await using storage = await FaultyStorage.make();
    storage.faults.set('write', 'failed');
    await using mirror = await Mirror.start({ storage, root: storage.root });
    expect(await ask(mirror.url, '/healthz')).toEqual([200, { status: 'alive' }]);
    expect((await rawRequest(mirror.url, '/healthz', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('/readyz', () => {
  it('is ready while the storage takes writes, without a registry anywhere', async () => {
    await using mirror = await Mirror.start({ upstreams: [{ namespace: 'gone.test', host: '127.0.0.1:9' }] });
    await request(`${mirror.url}/v2/gone.test/team/app/manifests/1`);
    expect(await ask(mirror.url, '/readyz')).toEqual([200, { status: 'ready' }]);
    expect((await rawRequest(mirror.url, '/readyz', { method: 'HEAD' })).status).toBe(200);
  });

  it('says why it is not, within five seconds of the trouble and of its end', async () => {
    const clock = new MovingClock();
    await using storage = await FaultyStorage.make();
    await using mirror = await Mirror.start({ storage, root: storage.root, clock });
    expect((await ask(mirror.url, '/readyz'))[0]).toBe(200);
    storage.faults.set('write', 'failed');
    clock.pass(4);
    expect((await ask(mirror.url, '/readyz'))[0]).toBe(200);
    clock.pass(2);
    const reason = 'storage: cannot write: planned trouble';
    expect(await ask(mirror.url, '/readyz')).toEqual([503, { status: 'unavailable', reason }]);
    expect((await rawRequest(mirror.url, '/readyz', { method: 'HEAD' })).status).toBe(503);
    storage.faults.clear();
    clock.pass(6);
    expect(await ask(mirror.url, '/readyz')).toEqual([200, { status: 'ready' }]);
  });

  it('writes once, however often it is asked', async () => {
    await using storage = await FaultyStorage.make();
    storage.faults.set('write', 'failed');
    await using mirror = await Mirror.start({ storage, root: storage.root });
    const responses = await Promise.all(Array.from({ length: 50 }, () => ask(mirror.url, '/readyz')));
    expect(new Set(responses.map(([status]) => status))).toEqual(new Set([503]));
    expect(storage.failed).toBe(1);
  });

  it('stays ready with a full disk: pulls pass through', async () => {
    await using storage = await FaultyStorage.make();
    storage.faults.set('write', 'full');
    await using mirror = await Mirror.start({ storage, root: storage.root });
    expect((await ask(mirror.url, '/readyz'))[0]).toBe(200);
  });

  it('gives up on a storage that hangs, and asks it no second time meanwhile', async () => {
    await using storage = await FaultyStorage.make();
    let writes = 0;
    using gate = new Gate();
    storage.write = () => {
      writes += 1;
      return gate.opened;
    };
    await using mirror = await Mirror.start({ storage, root: storage.root });
    const responses = await Promise.all([ask(mirror.url, '/readyz'), ask(mirror.url, '/readyz')]);
    const expected = [503, { status: 'unavailable', reason: 'storage: no response' }];
    expect([...responses, writes]).toEqual([expected, expected, 1]);
  });

  it('is at one spelling of its path, and in no log line at info', async () => {
    await using mirror = await Mirror.start();
    for (const path of ['/readyz', '/healthz', '/metrics']) {
      expect((await rawRequest(mirror.url, path)).status).toBe(200);
      for (const odd of [`${path}/`, `/${path}`, path.replace('z', '%7a').replace('m', '%6d'), path.toUpperCase()])
        expect([odd, (await rawRequest(mirror.url, odd)).status]).toEqual([odd, 404]);
    }
    await mirror.settled();
    expect(mirror.log).not.toMatch(/"path":"\/(readyz|healthz|metrics)"/);
  });
});

describe('a process that is told to stop', () => {
  beforeAll(build, 180_000);

  it('is unready at once, and takes requests for --drain-delay longer', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), '[]\n');
    const args = ['--listen', '127.0.0.1:0', '--drain-delay', '2s', 'filesystem', '--root', folder.file('data')];
    await using program = await Program.start(args, { cwd: folder.path });
    expect(await ask(program.url, '/readyz')).toEqual([200, { status: 'ready' }]);
    const { url } = program;
    program.kill('SIGTERM');
    await until('it is unready', async () => (await ask(url, '/readyz'))[0] === 503, 1_500);
    expect(await ask(url, '/readyz')).toEqual([503, { status: 'draining' }]);
    expect((await request(`${url}/v2/`)).status).toBe(200);
    expect((await ask(url, '/healthz'))[0]).toBe(200);
    expect(await program.end).toEqual({ code: 0, signal: null });
  });
});
