import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pages } from '../../../src/web/page.table.js';
import { request, type Reply } from '../../fakes/request.js';
import { AdminAddress } from '../admin/support.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { basic, getPage, pageText, soundPage } from '../support/pages.js';

/** What is the same in every response of a path. */
const shown = ({
  status,
  headers: { date: _date, 'x-request-id': _id, 'content-length': _length, ...rest },
}: Reply) => [status, rest];

describe('the pages', () => {
  let mirror: Mirror | undefined;
  const shared = () => mirror!;
  beforeAll(async () => {
    mirror = await Mirror.start();
  });
  afterAll(() => mirror?.[Symbol.asyncDispose]());

  it('load style, script and icon of this server, under names that change with their content', async () => {
    const mirror = shared();
    const text = await pageText(mirror, '/_ui/setup');
    const paths = [...text.matchAll(/"(\/_ui\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(paths.map((path) => path.replace(/-[0-9a-f]{16}\./, '.'))).toEqual(
      ['icon.svg', 'page.css', 'page.js'].map((name) => `/_ui/assets/${name}`),
    );
    for (const path of paths) {
      const plain = await request(`${mirror.url}${path}`);
      expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      const packed = await request(`${mirror.url}${path}`, { headers: { 'accept-encoding': 'gzip, br' } });
      expect(packed.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(packed.body)).toEqual(plain.body);
      // Of a replica of another version.
      const other = await request(`${mirror.url}${path.replace(/[0-9a-f]{16}/, '0'.repeat(16))}`);
      expect([other.status, other.headers['cache-control']]).toEqual([200, 'no-store']);
    }
    for (const name of [
      'page.css',
      'other-0000000000000000.css',
      '..%2f..%2fpackage.json',
      'constructor-0000000000000000.css',
    ])
      expect((await request(`${mirror.url}/_ui/assets/${name}`)).status, name).toBe(404);
  });

  it('have one spelling of their path, and none where they are switched off', async () => {
    const mirror = shared();
    for (const path of ['/%5fui/setup', '/_ui/set%75p', '//_ui/setup', '/_ui/setup/', '/_ui/', '/_ui/nothing'])
      expect((await getPage(mirror, path)).status, path).toBe(404);
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await request(`${mirror.url}/_ui/setup`, { method })).status, method).toBe(405);
    await using off = await Mirror.start({ server: { statusPage: false } });
    for (const { path } of pages) expect((await getPage(off, path)).status, path).toBe(404);
    expect((await getPage(off, '/_ui/assets/page-0000000000000000.css')).status).toBe(404);
  });

  it('respond to HEAD as to GET, without the body, at both addresses', async () => {
    const mirror = shared();
    await using admin = await AdminAddress.open({ mirror });
    const asset = /"(\/_ui\/assets\/page[^"]+css)"/.exec(await pageText(mirror, '/_ui/setup'))![1]!;
    const paths = ['/', '/?sign-in=%2F_ui%2Fsetup', '/_ui/setup', '/_ui/repositories', '/_ui/raw', '/_ui/none', asset];
    for (const [url, path] of [mirror, admin].flatMap((each) => paths.map((one) => [each.url, one] as const))) {
      const headers = { accept: 'text/html', 'accept-language': 'en' };
      const [get, head] = [
        await request(`${url}${path}`, { headers }),
        await request(`${url}${path}`, { method: 'HEAD', headers }),
      ];
      expect(shown(head), path).toEqual(shown(get));
      // Pages say how long the server has been running.
      const length = path.startsWith('/_ui/assets/') ? get.headers['content-length'] : /^[1-9]\d+$/;
      expect(head.headers['content-length'], path).toMatch(length!);
      expect(head.body.length, path).toBe(0);
    }
  });

  it('tell by HEAD whether there are live events, and keep no place for it', async () => {
    const mirror = shared();
    for (let count = 0; count < 10; count += 1) {
      const { status, headers, body } = await request(`${mirror.url}/_ui/live`, { method: 'HEAD' });
      expect([status, headers['content-type'], body.length]).toEqual([200, 'text/event-stream', 0]);
    }
  });

  it.each([
    ['%2F_ui%2Fsetup', '/_ui/setup'],
    ['%2F_ui%2Frepository%3Fname%3Da%2Fb', '/_ui/repository?name=a/b'],
    ['', '/'],
    ['%2F', '/'],
    ['%2F%2Fevil.example', '/'],
    ['https%3A%2F%2Fevil.example%2F_ui%2F', '/'],
    ['%2F_ui%2F%0D%0Aset-cookie%3A%20a', '/'],
    ['%2F_ui%2F%zz', '/'],
    ['%2F_ui%2F%E4', '/'],
    ['%2F_ui%2Fsetup&x=y', '/'],
  ])('lead back from signing in to themselves only: %s', async (to, location) => {
    const reply = await getPage(shared(), `/?sign-in=${to}`, { authorization: basic('anna') });
    expect([reply.status, reply.headers.location]).toEqual([303, location]);
  });

  it.each(['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'a"]b.example'])(
    'show nothing of an address that is none: %s',
    async (host) => {
      const mirror = shared();
      const text = soundPage(await getPage(mirror, '/_ui/setup', { headers: { host } }));
      expect(text).toContain('Open this page at the address');
      expect(text).not.toContain(host);
    },
  );

  it('are for those who may see something: by password, and not by a token', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\nbert:${await bcrypt('secret', 4)}\n`);
    await using mirror = await Mirror.start({
      upstreams: [
        { namespace: 'one.test', host: '127.0.0.1:1' },
        { namespace: 'other.test', host: '127.0.0.1:1' },
      ],
      server: { defaultNamespace: 'one.test', unknownNamespaces: 'deny' },
      access: `users_file: ${folder.file('htpasswd')}\nrules:\n  - { repositories: ['one.test/**'], who: ['user:anna'], may: [pull] }`,
    });
    const text = await pageText(mirror, '/_ui/setup', { authorization: basic('anna') });
    expect(text).toContain('Signed in as </span>user:anna');
    expect(text).toContain('one.test');
    expect(text).not.toContain('other.test');
    const token = await mirror.request.get('/token').set('authorization', basic('anna'));
    const refused = [
      undefined,
      basic('anna', 'wrong'),
      basic('bert'),
      `Bearer ${(token.body as { token: string }).token}`,
    ];
    for (const authorization of refused) {
      const reply = await getPage(mirror, '/_ui/setup', authorization === undefined ? {} : { authorization });
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Basic realm="oci-registry"']);
      expect(soundPage(reply)).not.toMatch(/one\.test|<nav/);
    }
    // They are in every page, and need no password.
    const style = /"(\/_ui\/assets\/page[^"]+css)"/.exec(text)![1]!;
    expect((await request(`${mirror.url}${style}`)).status).toBe(200);
  });
});
