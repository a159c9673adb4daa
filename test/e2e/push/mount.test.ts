import { hash as bcrypt } from 'bcryptjs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { ageBy, LaterClock } from '../hosted/support/ageing.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import type { Heard } from './support/conversation.js';
import { Hosting } from './support/hosting.js';

const blob = makeBlob(500, 'mount');
const unknown = `sha256:${'0'.repeat(64)}`;
const start = (repository: string, digest: string) => `/v2/${repository}/blobs/uploads/?mount=${digest}`;

function mount(hosting: Hosting, digest: string = blob.digest, repository = 'local/other'): Promise<Heard> {
  return hosting.ask('POST', start(repository, digest), { body: '' });
}

async function countSources(hosting: Hosting): Promise<number> {
  const files = await readdir(join(hosting.mirror.root, 'mounts'), { recursive: true, withFileTypes: true });
  return files.filter((entry) => entry.isFile()).length;
}

describe('a mount without a source', () => {
  it('takes the blob of another repository, after a restart too', async () => {
    await using folder = await Folder.make();
    {
      await using hosting = await Hosting.start({ root: folder.path });
      expect((await mount(hosting)).status).toBe(202);
      await hosting.pushBlob(blob, 'local/app');
      const mounted = await mount(hosting);
      expect(mounted.status).toBe(201);
      expect(mounted.headers).toMatchObject({
        location: `/v2/local/other/blobs/${blob.digest}`,
        'docker-content-digest': blob.digest,
      });
      const { body } = await hosting.ask('GET', mounted.headers.location!);
      expect(body.equals(blob.body)).toBe(true);
    }
    await using hosting = await Hosting.start({ root: folder.path });
    expect((await mount(hosting, blob.digest, 'local/third')).status).toBe(201);
  });

  it('takes what was pushed at another replica', async () => {
    const server = { advertiseUrl: 'http://127.0.0.1:1' };
    await using one = await Hosting.start({ server });
    await using two = await Hosting.start({ root: one.mirror.root, server });
    await one.pushBlob(blob, 'local/app');
    expect((await mount(two)).status).toBe(201);
  });

  it('takes what a mirrored repository has, once it is stored', async () => {
    await using upstream = await FakeRegistry.start();
    const image = makeImage();
    upstream.addImage('team/app', image, ['v1']);
    await using hosting = await Hosting.start({ upstreams: [{ namespace: 'registry.test', host: upstream.host }] });
    const [layer] = image.layers;
    expect((await mount(hosting, layer!.digest)).status).toBe(202);
    const pulled = await hosting.ask('GET', `/v2/registry.test/team/app/blobs/${layer!.digest}`);
    expect(pulled.status).toBe(200);
    await hosting.mirror.settled();
    const requests = upstream.requests.length;
    expect((await mount(hosting, layer!.digest)).status).toBe(201);
    expect(upstream.requests.length).toBe(requests);
  });

  it('begins an upload when every repository that had the blob has lost it', async () => {
    await using hosting = await Hosting.start();
    await hosting.pushBlob(blob, 'local/app');
    expect((await hosting.ask('DELETE', `/v2/local/app/blobs/${blob.digest}`)).status).toBe(202);
    expect((await mount(hosting)).status).toBe(202);
  });

  it('remembers a bounded number of repositories for each blob', async () => {
    await using hosting = await Hosting.start();
    for (let at = 0; at < 24; at += 1) await hosting.pushBlob(blob, `local/app${at}`);
    const count = await countSources(hosting);
    expect(count).toBeGreaterThan(1);
    expect(count).toBeLessThanOrEqual(16);
    expect((await mount(hosting)).status).toBe(201);
  });

  it('is possible from nowhere once a sweep has removed the content', async () => {
    const clock = new LaterClock();
    await using hosting = await Hosting.start({ clock });
    await hosting.pushBlob(blob, 'local/app');
    const sweep = () => hosting.mirror.app.get(SweepService).run();
    await sweep();
    expect(await countSources(hosting)).toBe(1);
    await ageBy(hosting.mirror.root, 48);
    clock.pass(2);
    await sweep();
    expect(await countSources(hosting)).toBe(0);
    expect((await mount(hosting)).status).toBe(202);
  });

  it('reveals nothing of repositories that its client may not pull from', async () => {
    await using folder = await Folder.make();
    const password = await bcrypt('secret', 4);
    await writeFile(folder.file('htpasswd'), ['anna', 'bert'].map((name) => `${name}:${password}\n`).join(''));
    const rules = `
  - { repositories: ['local/{user}/**', 'local/shared/**'], who: [authenticated], may: [push] }`;
    await using mirror = await Mirror.start({
      hosted: [{ namespace: 'local' }],
      access: `users_file: ${folder.file('htpasswd')}\nrules:${rules}\n`,
    });
    const as = (user: string) => `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`;
    const post = (user: string, target: string, body = '') =>
      mirror.request.post(target).set('authorization', as(user)).type('application/octet-stream').send(body);
    const push = (user: string, repository: string) =>
      post(user, `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`, blob.body as never);
    expect((await push('anna', 'local/anna/app')).status).toBe(201);
    const hidden = await post('bert', start('local/bert/app', blob.digest));
    const absent = await post('bert', start('local/bert/app', unknown));
    const shown = ({ status, headers, body }: typeof hidden) => ({
      status,
      names: Object.keys(headers).sort(),
      body: body as unknown,
    });
    expect(shown(hidden)).toEqual(shown(absent));
    expect(hidden.status).toBe(202);
    // Anna may pull from there.
    expect((await post('anna', start('local/shared/app', blob.digest))).status).toBe(201);
    expect((await post('bert', start('local/bert/app', blob.digest))).status).toBe(201);
    for (const { headers } of [hidden, absent]) {
      const { location } = headers as { location: string };
      await mirror.request.delete(location).set('authorization', as('bert'));
    }
  });
});
