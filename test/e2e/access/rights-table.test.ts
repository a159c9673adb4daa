import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rightOf } from '../../../src/distribution/access/route.rights.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';

const digest = `sha256:${'a'.repeat(64)}`;
const id = 'b'.repeat(32);

/** Every endpoint with the right that the specification's reader would expect for it. */
const endpoints: readonly [method: string, path: string, right: 'pull' | 'push' | 'delete'][] = [
  ...(['GET', 'HEAD'] as const).flatMap((method): [string, string, 'pull'][] => [
    [method, 'manifests/v1', 'pull'],
    [method, `manifests/${digest}`, 'pull'],
    [method, `blobs/${digest}`, 'pull'],
    [method, 'tags/list', 'pull'],
    [method, `referrers/${digest}`, 'pull'],
  ]),
  ['PUT', 'manifests/v1', 'push'],
  ['PUT', `manifests/${digest}`, 'push'],
  ['POST', 'blobs/uploads/', 'push'],
  ['POST', `blobs/uploads/?digest=${digest}`, 'push'],
  ['POST', `blobs/uploads/?mount=${digest}&from=local/secret/app`, 'push'],
  ['GET', `blobs/uploads/${id}`, 'push'],
  ['HEAD', `blobs/uploads/${id}`, 'push'],
  ['PATCH', `blobs/uploads/${id}`, 'push'],
  ['PUT', `blobs/uploads/${id}?digest=${digest}`, 'push'],
  ['DELETE', `blobs/uploads/${id}`, 'push'],
  ['DELETE', 'manifests/v1', 'delete'],
  ['DELETE', `manifests/${digest}`, 'delete'],
  ['DELETE', `blobs/${digest}`, 'delete'],
];

const repositories = [
  ['local', 'team/app'],
  ['local', 'open/app'],
  ['local', 'secret/app'],
  ['registry.test', 'team/app'],
  ['registry.test', 'open/app'],
] as const;

type Shape = (namespace: string, rest: string) => { path: string; host?: string };
const withQuery = (path: string, query: string) => `${path}${path.includes('?') ? '&' : '?'}${query}`;
const shapes: Record<string, Shape> = {
  'namespace in the path': (namespace, rest) => ({ path: `/v2/${namespace}/${rest}` }),
  'namespace as ns': (namespace, rest) => ({ path: withQuery(`/v2/${rest}`, `ns=${namespace}`) }),
  'namespace in both': (namespace, rest) => ({ path: withQuery(`/v2/${namespace}/${rest}`, `ns=${namespace}`) }),
  'namespace before /v2': (namespace, rest) => ({ path: `/${namespace}/v2/${rest}` }),
  'namespace in the path, encoded': (namespace, rest) => ({
    path: `/v2/${namespace.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)}/${rest}`,
  }),
};
const byHost: Shape = (namespace, rest) => ({ path: `/v2/${rest}`, host: namespace });

/** What each identity may do in `team`, `open` and `secret`, written down by hand. */
const identities: Record<string, Record<'team' | 'open' | 'secret', string>> = {
  nobody: { team: '', open: 'pull', secret: '' },
  anna: { team: 'pull push', open: 'pull', secret: '' },
  bert: { team: 'delete', open: 'pull push delete', secret: '' },
  carl: { team: '', open: 'pull', secret: 'pull' },
  'anna with a token to pull from team': { team: 'pull', open: 'pull', secret: '' },
  'carl with a token for nothing': { team: '', open: 'pull', secret: '' },
};
const rules = `
  - { repositories: ['*/open/**'], who: [anonymous], may: [pull] }
  - { repositories: ['*/team/**'], who: ['group:developers'], may: [push] }
  - { repositories: ['*/team/**', '*/open/*'], who: ['user:bert'], may: [delete] }
  - { repositories: ['*/open/app'], who: ['user:bert'], may: [push] }
  - { repositories: ['*/secret/**'], who: ['user:carl'], may: [pull] }
`;

const basic = (user: string) => `Basic ${Buffer.from(`${user}:secret`).toString('base64')}`;

let folder: Folder;
let upstream: FakeRegistry;
let mirror: Mirror;
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

beforeAll(async () => {
  folder = await Folder.make();
  upstream = await FakeRegistry.start();
  for (const name of ['team/app', 'open/app']) upstream.addImage(name, makeImage(), ['v1']);
  const password = await bcrypt('secret', 4);
  await writeFile(folder.file('htpasswd'), ['anna', 'bert', 'carl'].map((name) => `${name}:${password}\n`).join(''));
  mirror = await Mirror.start({
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    hosted: [{ namespace: 'local' }],
    access: `users_file: ${folder.file('htpasswd')}\ngroups: { developers: [anna] }\nrules:${rules}`,
  });
});
afterAll(async () => {
  agent.destroy();
  await mirror[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function statusOf(method: string, path: string, headers: http.OutgoingHttpHeaders): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${mirror.url}${path}`, { method, headers, agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end();
  });
}

async function authorizationOf(identity: string): Promise<string | undefined> {
  const [user = ''] = identity.split(' ');
  if (user === 'nobody') return undefined;
  if (!identity.includes('token')) return basic(user);
  const scopes = identity.includes('team')
    ? ['repository:local/team/app:pull', 'repository:registry.test/team/app:pull']
    : [];
  const answer = await mirror.request.get('/token').query({ scope: scopes }).set('authorization', basic(user));
  return `Bearer ${(answer.body as { token: string }).token}`;
}

describe('what a request may do', () => {
  let cells = 0;

  it.each(Object.keys(identities))('%s', { timeout: 120_000 }, async (identity) => {
    const authorization = await authorizationOf(identity);
    const wrong: string[] = [];
    for (const [namespace, name] of repositories) {
      const may = identities[identity]![name.split('/')[0] as 'team'].split(' ');
      const all = namespace === 'local' ? { ...shapes, 'namespace as Host': byHost } : shapes;
      for (const [shape, make] of Object.entries(all)) {
        for (const [method, endpoint, right] of endpoints) {
          const { path, host } = make(namespace, `${name}/${endpoint}`);
          const headers = {
            ...(authorization !== undefined && { authorization }),
            ...(host !== undefined && { host }),
          };
          const status = await statusOf(method, path, headers);
          cells += 1;
          const isSignedIn = identity !== 'nobody' && !identity.includes('token for nothing');
          const expected = may.includes(right) ? 'allowed' : isSignedIn ? '401 or 403' : '401 or 403';
          const actual = status === 401 || status === 403 ? '401 or 403' : 'allowed';
          if (actual !== expected || status >= 500)
            wrong.push(`${method} ${path} (${shape}) of ${identity}: ${status}, expected ${expected}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('was tried in at least 2,000 cells', () => {
    process.stdout.write(`cells of the table: ${cells}\n`);
    expect(cells).toBeGreaterThanOrEqual(2_000);
  });
});

describe('every route', () => {
  it('has a decision', () => {
    const printed = mirror.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false });
    // Lines are drawn as a tree: each deepens what is above it.
    const stack: string[] = [];
    const routes: string[] = [];
    for (const line of printed.split('\n')) {
      const [, indent = '', path = '', methods] = /^([\s│├└─]*)(\S*?)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
      if (path === '') continue;
      stack.length = Math.floor(indent.length / 4);
      const whole = stack.join('') + path;
      stack.push(path);
      // Parameters of two routes at one place are drawn as one.
      for (const name of whole.includes('_catalog') ? [':namespace'] : [':repository'])
        for (const method of methods?.split(', ') ?? [])
          routes.push(`${method} ${whole.replace(':repository|:namespace', name).replace(/(?<=.)\/$/, '')}`);
    }
    expect(routes.length).toBeGreaterThan(25);
    const without = routes.filter((route) => {
      const [method = '', path] = route.split(' ');
      return rightOf(method, path) === undefined;
    });
    expect(without).toEqual([]);
  });
});

describe('what lists show', () => {
  it('a mount from a repository that one may not read is an upload', async () => {
    const blob = await mirror.request
      .post(
        '/v2/local/open/app/blobs/uploads/?digest=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
      )
      .set('authorization', basic('bert'))
      .type('application/octet-stream')
      .send('{}');
    expect(blob.status).toBe(201);
    const mount = (from: string, user: string) =>
      mirror.request
        .post(
          `/v2/local/${user === 'anna' ? 'team' : 'open'}/app/blobs/uploads/?mount=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a${from}`,
        )
        .set('authorization', basic(user));
    expect((await mount('&from=local/secret/app', 'anna')).status).toBe(202);
    // Everybody may pull from `open`.
    expect((await mount('', 'anna')).status).toBe(201);
    expect((await mount('&from=local/open/app', 'anna')).status).toBe(201);
  });

  it('the catalog has only what one may pull', async () => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [],
    });
    const put = await mirror.request
      .put('/v2/local/open/app/manifests/v1')
      .set('authorization', basic('bert'))
      .type('application/vnd.oci.image.index.v1+json')
      .send(manifest);
    expect(put.status).toBe(201);
    const secret = await mirror.request
      .put('/v2/local/team/app/manifests/v1')
      .set('authorization', basic('anna'))
      .type('application/vnd.oci.image.index.v1+json')
      .send(manifest);
    expect(secret.status).toBe(201);
    const names = async (authorization: string) => {
      const response = await mirror.request.get('/v2/_catalog').set('authorization', authorization);
      return (response.body as { repositories: string[] }).repositories;
    };
    expect(await names(basic('anna'))).toEqual(['local/open/app', 'local/team/app']);
    expect(await names(basic('carl'))).toEqual(['local/open/app']);
    // Some clients send their credentials only after a challenge; those who have none get an anonymous token.
    for (const path of ['/v2/_catalog', '/v2/local/_catalog', '/local/v2/_catalog', '/v2/_catalog?ns=local']) {
      const challenged = await mirror.request.get(path);
      const header = (challenged.headers as Record<string, string>)['www-authenticate'];
      expect([challenged.status, header]).toEqual([
        401,
        `Bearer realm="${mirror.url}/token",service="oci-registry",scope="registry:catalog:*"`,
      ]);
      expect((await mirror.request.head(path)).status).toBe(401);
    }
    const tokenOf = async (headers: Record<string, string>) => {
      const answer = await mirror.request.get('/token').query({ scope: 'registry:catalog:*' }).set(headers);
      return `Bearer ${(answer.body as { token: string }).token}`;
    };
    expect(await names(await tokenOf({}))).toEqual(['local/open/app']);
    expect(await names(await tokenOf({ authorization: basic('anna') }))).toEqual(['local/open/app', 'local/team/app']);
  });
});
