import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatRobots, hashOfSecret } from '../../../src/access/authenticators/robots.js';
import { OpenSessions } from '../../../src/registry/hosted/open.sessions.js';
import { Secret } from '../../../src/config/values/secret.js';
import { makeBlob } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { Conversation, type Heard } from './support/conversation.js';
import { withQuery } from './support/hosting.js';

const blob = makeBlob(3_000, 'owner');
const [one, two] = [blob.body.subarray(0, 1_000), blob.body.subarray(1_000)];
const start = '/v2/local/app/blobs/uploads/';
const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const robot = basic('robot+ci', 'ocir_secret');

const rules = `
  - { repositories: ['local/**'], who: [anonymous], may: [push] }
  - { repositories: ['**'], who: ['user:root'], may: [admin] }
`;

/** Two replicas on one folder; whoever asks is given as an Authorization header. */
class Replicas implements AsyncDisposable {
  readonly clock = new MovingClock();
  private readonly mirrors: Mirror[] = [];
  private readonly clients: Conversation[] = [];

  static async start(folder: Folder): Promise<Replicas> {
    const replicas = new Replicas();
    const access = `users_file: ${folder.file('htpasswd')}\nrobots_file: ${folder.file('robots')}\nrules:${rules}`;
    for (let count = 0; count < 2; count += 1) {
      const mirror = await Mirror.start({
        hosted: [{ namespace: 'local' }],
        access,
        clock: replicas.clock,
        server: { advertiseUrl: 'http://127.0.0.1:1', clusterKey: new Secret('k'.repeat(32)) },
        ...(count > 0 && { root: replicas.mirrors[0]!.root }),
      });
      replicas.mirrors.push(mirror);
      replicas.clients.push(await Conversation.open(mirror.url));
    }
    return replicas;
  }

  /** @param at number of the replica */
  ask(method: string, target: string, as?: string, body?: Buffer | string, at = 0): Promise<Heard> {
    const headers = as === undefined ? [] : [`authorization: ${as}`];
    return this.clients[at]!.ask(method, target, { headers, body });
  }

  /** @returns the Location of a new session */
  async begin(as?: string): Promise<string> {
    const { status, headers } = await this.ask('POST', start, as, '');
    expect(status).toBe(202);
    return headers.location!;
  }

  async tokenOf(as: string): Promise<string> {
    const scope = 'repository:local/app:pull,push';
    const { body } = await this.ask('GET', `/token?service=oci-registry&scope=${scope}`, as);
    return `Bearer ${(JSON.parse(body.toString()) as { token: string }).token}`;
  }

  async letGo(): Promise<void> {
    for (const mirror of this.mirrors) await mirror.app.get(OpenSessions, { strict: false }).onApplicationShutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client[Symbol.asyncDispose]();
    for (const mirror of this.mirrors) await mirror.settled();
    await this.letGo();
    for (const mirror of this.mirrors.toReversed()) await mirror[Symbol.asyncDispose]();
  }
}

let folder: Folder;
let replicas: Replicas;
beforeAll(async () => {
  folder = await Folder.make();
  const password = await bcrypt('secret', 4);
  await writeFile(folder.file('htpasswd'), ['anna', 'bert', 'root'].map((name) => `${name}:${password}\n`).join(''));
  await writeFile(folder.file('robots'), formatRobots([{ name: 'ci', hash: hashOfSecret('ocir_secret') }]));
  replicas = await Replicas.start(folder);
});
afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Every request for a session but the one that begins it. */
const requests = (location: string) =>
  [
    ['GET', location, undefined],
    ['HEAD', location, undefined],
    ['PATCH', location, two],
    ['PUT', withQuery(location, `digest=${blob.digest}`), two],
    ['DELETE', location, undefined],
  ] as const;

describe('an upload session', () => {
  it.each([
    ['a user', 'another user', basic('anna'), basic('bert')],
    ['a user', 'an administrator', basic('anna'), basic('root')],
    ['a user', 'nobody', basic('anna'), undefined],
    ['a user', 'a robot', basic('anna'), robot],
    ['a robot', 'a user', robot, basic('anna')],
    ['nobody', 'a user', undefined, basic('anna')],
  ])('of %s does not exist for %s, at any replica', async (_, _other, owner, stranger) => {
    const location = await replicas.begin(owner);
    const patched = await replicas.ask('PATCH', location, owner, one);
    expect(patched.status).toBe(202);
    for (const at of [0, 1])
      for (const [method, target, body] of requests(patched.headers.location!)) {
        const refused = await replicas.ask(method, target, stranger, body, at);
        if (method === 'HEAD') expect(refused.status).toBe(404);
        else expectError(refused, 404, 'BLOB_UPLOAD_UNKNOWN');
      }
    const found = await replicas.ask('GET', location, owner);
    expect(found).toMatchObject({ status: 204, headers: { range: '0-999' } });
    const end = withQuery(found.headers.location!, `digest=${blob.digest}`);
    expect((await replicas.ask('PUT', end, owner, two)).status).toBe(201);
  });

  it('goes on with a renewed token, with Basic and at another replica', async () => {
    const token = await replicas.tokenOf(basic('anna'));
    const location = await replicas.begin(token);
    const patched = await replicas.ask('PATCH', location, token, one);
    // Beyond the minute for which it counts longer here.
    replicas.clock.pass(361);
    const end = withQuery(patched.headers.location!, `digest=${blob.digest}`);
    expectError(await replicas.ask('PUT', end, token, two), 401, 'UNAUTHORIZED');
    const renewed = await replicas.tokenOf(basic('anna'));
    const found = await replicas.ask('GET', patched.headers.location!, renewed, undefined, 1);
    expect(found).toMatchObject({ status: 204, headers: { range: '0-999' } });
    expect((await replicas.ask('GET', patched.headers.location!, basic('anna'))).status).toBe(204);
    expect((await replicas.ask('PUT', end, renewed, two, 1)).status).toBe(201);
  });

  it('is not interrupted by a request of another user', async () => {
    const location = await replicas.begin(basic('anna'));
    const client = await Conversation.open(replicas['mirrors'][0]!.url);
    const head = ['PATCH', location, 'HTTP/1.1\r\nhost: m\r\ncontent-length: 3000\r\nauthorization:', basic('anna')];
    client.say(Buffer.concat([Buffer.from(`${head.join(' ')}\r\n\r\n`), one]));
    await expect
      .poll(() => replicas['mirrors'][0]!.app.get(OpenSessions, { strict: false })['turns'].size, { timeout: 10_000 })
      .toBe(1);
    for (const [method, target, body] of requests(location))
      expect((await replicas.ask(method, target, basic('bert'), body)).status).toBe(404);
    client.say(two);
    expect(await client.hear()).toMatchObject({ status: 202, headers: { range: '0-2999' } });
    await client[Symbol.asyncDispose]();
    expect((await replicas.ask('DELETE', location, basic('anna'))).status).toBe(204);
  });
});
