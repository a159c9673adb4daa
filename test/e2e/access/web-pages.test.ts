import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';

const digest = `sha256:${'a'.repeat(64)}`;
const id = 'b'.repeat(32);
const changes = [
  ['POST', `/v2/local/app/blobs/uploads/?digest=${digest}`],
  ['POST', '/local/v2/app/blobs/uploads/'],
  ['PATCH', `/v2/local/app/blobs/uploads/${id}`],
  ['PUT', `/v2/local/app/blobs/uploads/${id}?digest=${digest}`],
  ['DELETE', `/v2/local/app/blobs/uploads/${id}`],
  ['PUT', '/v2/local/app/manifests/v1'],
  ['DELETE', '/v2/local/app/manifests/v1'],
  ['DELETE', `/v2/app/blobs/${digest}?ns=local`],
] as const;
const basic = { authorization: `Basic ${Buffer.from('anna:secret').toString('base64')}` };
const foreign: Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
];

let folder: Folder;
let mirror: Mirror;
beforeAll(async () => {
  folder = await Folder.make();
  await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\n`);
  mirror = await Mirror.start({
    hosted: [{ namespace: 'local' }],
    access: `
users_file: ${folder.file('htpasswd')}
public_url: https://registry.example.com
rules: [{ repositories: ['local/**'], who: ['user:anna'], may: [push, delete] }]
`,
  });
});
afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const send = (method: string, path: string, headers: Record<string, string>, to = mirror) =>
  request(`${to.url}${path}`, { method, headers });

describe('a page of another origin, with the password that a browser adds,', () => {
  it.each(changes)('changes nothing by %s %s', async (method, path) => {
    for (const headers of foreign) {
      const { status, body } = await send(method, path, { ...basic, ...headers });
      expect([headers, status, JSON.parse(body.toString())]).toEqual([
        headers,
        403,
        { errors: [{ code: 'DENIED', message: 'requests from pages of other origins are refused' }] },
      ]);
    }
    expect((await send(method, path, basic)).status).not.toBe(403);
  });

  it('changes nothing where everybody may push', async () => {
    await using open = await Mirror.start({ hosted: [{ namespace: 'local' }], server: { allowAnonymousPush: true } });
    const [method, path] = ['POST', '/v2/local/app/blobs/uploads/'];
    for (const headers of foreign) {
      const { status, body } = await send(method, path, headers, open);
      expect([status, body.toString()]).toEqual([403, expect.stringContaining('"DENIED"')]);
    }
    expect((await send(method, path, {}, open)).status).toBe(202);
  });

  it('may read as anybody may, and a client with a token may do what it is for', async () => {
    const [page] = foreign;
    expect((await send('GET', '/v2/local/app/tags/list', { ...basic, ...page })).status).toBe(404);
    const scope = 'repository:local/app:pull,push';
    const answer = await mirror.request.get('/token').query({ scope }).set(basic);
    const authorization = `Bearer ${(answer.body as { token: string }).token}`;
    expect((await send('POST', '/v2/local/app/blobs/uploads/', { ...page, authorization })).status).toBe(202);
  });

  it.each([
    ['at the address that clients use', { origin: 'https://registry.example.com', 'sec-fetch-site': 'same-origin' }],
    ['at the Host of the request', { origin: 'https://mirror.test:8080', host: 'mirror.test:8080' }],
    ['that a person typed', { 'sec-fetch-site': 'none' }],
  ])('is another one than a page of this server %s', async (_, headers: Record<string, string>) => {
    expect((await send('POST', '/v2/local/app/blobs/uploads/', { ...basic, ...headers })).status).toBe(202);
  });
});
