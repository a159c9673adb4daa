import { hash as bcrypt, hashSync } from 'bcryptjs';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { ReadinessService } from '../../../src/registry/readiness.service.js';
import { makeBlob } from '../../fixtures/blobs.js';
import { Folder } from '../support/folder.js';
import { Gate } from '../support/gate.js';
import { heldBlob } from '../support/held-blob.js';
import { Mirror } from '../support/mirror.js';
import { basic, getPage, pageText } from '../support/pages.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

/** A page that listens. */
class Listener {
  /** What the part of the page looked like, oldest first. */
  readonly seen: string[] = [];
  hasEnded = false;
  private text = '';

  private constructor(
    readonly response: http.IncomingMessage,
    private readonly request: http.ClientRequest,
  ) {
    response.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
      const events = [...this.text.matchAll(/^data: (.*)$/gm)];
      this.seen.splice(0, Infinity, ...events.map(([, data]) => JSON.parse(data!) as string));
    });
    response.on('close', () => (this.hasEnded = true));
    request.on('error', () => undefined);
  }

  /** @param localAddress of the client */
  static async open(mirror: Mirror, authorization?: string, localAddress = '127.0.0.1'): Promise<Listener> {
    const headers = authorization === undefined ? {} : { authorization };
    const request = http.get(`${mirror.url}/_ui/live`, { agent: false, headers, localAddress });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    return new Listener(response, request);
  }

  get last(): string {
    return (this.seen.at(-1) ?? '').replaceAll('<wbr/>', '');
  }

  close(): void {
    this.request.destroy();
  }
}

const listeners: Listener[] = [];
const listen = async (mirror: Mirror, authorization?: string, localAddress?: string) => {
  const listener = await Listener.open(mirror, authorization, localAddress);
  listeners.push(listener);
  return listener;
};
const closeAll = () => {
  for (const listener of listeners.splice(0)) listener.close();
};
afterEach(closeAll);

/** A download that goes on until the gate opens. */
async function holdDownload(stage: Stage, gate: Gate, repository: string) {
  const blob = makeBlob(1_000_000, repository);
  stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
  const sent = http.get(stage.urlOf(`${repository}/blobs/${blob.digest}`), {
    agent: false,
    headers: { authorization: basic('root') },
  });
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  response.resume();
  return { digest: blob.digest.slice(0, 19), ended: once(response, 'end') };
}

describe('the live part of the overview', () => {
  it('shows downloads as they go on, and that they have ended', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const listener = await listen(stage.mirror);
    expect(listener.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    await until('it shows that nothing runs', () => listener.last.includes('No downloads in progress.'));
    const { digest, ended } = await holdDownload(stage, gate, 'team/open');
    await until('it shows the download', () => /registry\.test\/team\/open.*of 977 KiB/.test(listener.last));
    expect(listener.last).toContain(digest);
    expect(await pageText(stage.mirror, '/')).toContain('data-events="/_ui/live"');
    gate.open();
    await ended;
    await until('it shows that it has ended', () => listener.last.includes('No downloads in progress.'));
    listener.close();
  });

  it('shows uploads as they go on', async () => {
    await using mirror = await Mirror.start({ hosted: [{ namespace: 'local' }], server: { allowAnonymousPush: true } });
    const { headers } = await mirror.request.post('/v2/local/team/app/blobs/uploads/');
    const location = new URL((headers as { location: string }).location, mirror.url);
    const upload = http.request(location, { method: 'PATCH', agent: false, headers: { 'content-length': 200_000 } });
    upload.on('error', () => undefined).write(Buffer.alloc(100_000));
    const listener = await listen(mirror);
    await until('it shows half of it', () => /Upload to local\/team\/app.*97\.7 KiB of 195 KiB/.test(listener.last));
    const answered = once(upload, 'response');
    upload.end(Buffer.alloc(100_000));
    const [response] = (await answered) as [http.IncomingMessage];
    expect(response.resume().statusCode).toBe(202);
    await until('it shows that it has ended', () => !listener.last.includes('Upload'));
    const { pathname, search } = new URL(response.headers.location!, mirror.url);
    expect((await mirror.request.delete(`${pathname}${search}`)).status).toBe(204);
    listener.close();
  });

  it('is for a bounded number of pages, and ends when the server drains or closes', async () => {
    await using mirror = await Mirror.start();
    const listenFrom = (client: number) => listen(mirror, undefined, `127.0.0.${client}`);
    const all = await Promise.all(Array.from({ length: 32 }, (_, index) => listenFrom(1 + (index % 4))));
    expect(all.map(({ response }) => response.statusCode)).toEqual(Array.from({ length: 32 }, () => 200));
    const refused = await listenFrom(5);
    expect([refused.response.statusCode, refused.response.headers['retry-after']]).toEqual([503, '30']);
    all[0]!.close();
    await until('there is room', async () => (await listenFrom(5)).response.statusCode === 200);
    mirror.app.get(ReadinessService).startDraining();
    await until('all have ended', () => all.slice(1).every(({ hasEnded }) => hasEnded));
    expect((await listen(mirror)).response.statusCode).toBe(503);
    await using other = await Mirror.start();
    const last = await listen(other);
    await other.app.close();
    await until('it has ended', () => last.hasEnded);
  });

  it('is for eight pages of a client address, so that one client cannot take every place', async () => {
    await using mirror = await Mirror.start();
    const own = await Promise.all(Array.from({ length: 8 }, () => listen(mirror)));
    const refused = await listen(mirror);
    expect([refused.response.statusCode, refused.response.headers['retry-after']]).toEqual([429, '30']);
    expect((await listen(mirror, undefined, '127.0.0.2')).response.statusCode).toBe(200);
    own[0]!.close();
    await until('a place is free again', async () => (await listen(mirror)).response.statusCode === 200);
    closeAll();
  });

  it.each([
    ['his account is removed', 'htpasswd', `root:${hashSync('secret', 4)}\n`],
    ['his password changes', 'htpasswd', `anna:${hashSync('other', 4)}\n`],
    ['the robot is removed', 'robots', `other sha256:${'0'.repeat(64)}\n`],
  ])('ends within about a second when %s, as his pages do', async (_, name, content) => {
    await using folder = await Folder.make();
    const hash = createHash('sha256').update('secret').digest('hex');
    await writeFile(folder.file('htpasswd'), `anna:${hashSync('secret', 4)}\n`);
    await writeFile(folder.file('robots'), `ci sha256:${hash}\n`);
    const access = `
users_file: ${folder.file('htpasswd')}
robots_file: ${folder.file('robots')}
rules:
  - { repositories: ['**'], who: ['user:anna', 'robot:ci'], may: [pull] }
`;
    await using mirror = await Mirror.start({ access });
    const authorization = basic(name === 'robots' ? 'robot+ci' : 'anna');
    const listener = await listen(mirror, authorization);
    await until('he is shown something', () => listener.seen.length > 0);
    await writeFile(folder.file('next'), content);
    await rename(folder.file('next'), folder.file(name));
    await until('his pages are refused', async () => (await getPage(mirror, '/', { authorization })).status === 401);
    await until('the stream has ended', () => listener.hasEnded);
  });

  it('shows what its visitor may pull, and ends when he may see nothing any more', async () => {
    await using folder = await Folder.make();
    const hash = await bcrypt('secret', 4);
    await writeFile(folder.file('htpasswd'), ['anna', 'root'].map((name) => `${name}:${hash}\n`).join(''));
    const rules = (anna: string) => `
users_file: ${folder.file('htpasswd')}
rules:
  - { repositories: ['registry.test/open/**'], who: ['${anna}'], may: [pull] }
  - { repositories: ['**'], who: ['user:root'], may: [pull, admin] }
`;
    const accessFile = folder.file('access.yaml');
    await writeFile(accessFile, rules('user:anna'));
    await using stage = await Stage.start({ server: { accessFile } });
    using gate = new Gate();
    expect((await listen(stage.mirror)).response.statusCode).toBe(401);
    expect((await listen(stage.mirror, basic('anna', 'wrong'))).response.statusCode).toBe(401);
    const [anna, root] = [await listen(stage.mirror, basic('anna')), await listen(stage.mirror, basic('root'))];
    const { digest, ended } = await holdDownload(stage, gate, 'secret/app');
    await until('who may see it does', () => root.last.includes('registry.test/secret/app'));
    await until('another look has been sent to nobody', () => anna.seen.length > 0);
    expect(anna.seen.join()).not.toMatch(new RegExp(`secret|${digest}`));
    await writeFile(accessFile, rules('user:somebody-else'));
    await until('she may see nothing any more', () => anna.hasEnded);
    expect(root.hasEnded).toBe(false);
    gate.open();
    await ended;
    root.close();
  });
});

describe('recent errors', () => {
  it('are on the page with the ids of their requests, without queries, and bounded', async () => {
    await using stage = await Stage.start({ registry: { outage: { status: 500 } } });
    const ask = (id: string) => stage.get(`team/app/manifests/1?token=planted-secret`, { 'x-request-id': id });
    expect((await ask('first-request')).status).toBe(503);
    expect((await stage.get('team/app/tags/list?n=nonsense')).status).toBe(400);
    const text = await pageText(stage.mirror, '/');
    expect(text).toMatch(/first-request.*GET registry\.test\/team\/app.*503: /);
    expect(text).not.toMatch(/planted|tags\/list/);
    for (let count = 0; count < 60; count += 1) await ask(`request-${count}`);
    const rows = [...(await pageText(stage.mirror, '/')).matchAll(/<code class="digest whole">([\w-]+)</g)];
    expect(rows.map(([, id]) => id)).toEqual(Array.from({ length: 50 }, (_, index) => `request-${59 - index}`));
  });
});
