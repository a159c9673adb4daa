import { chmod, readFile, writeFile } from 'node:fs/promises';
import { format, inspect } from 'node:util';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../src/config/configuration-error.js';
import { loadSettings, type Settings } from '../../src/config/settings.js';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { storedFiles } from '../e2e/support/stored-files.js';
import { FakeRegistry, type FakeRegistryOptions } from '../fakes/fake-registry.js';
import { request, type Reply } from '../fakes/request.js';
import {
  challenge,
  content,
  cut,
  head,
  plain,
  raw,
  redirect,
  ScriptedUpstream,
  type Script,
} from '../fakes/scripted-upstream.js';
import { makeImage } from '../fixtures/images.js';
import { spellingsOf } from './support/spellings.js';

beforeAll(build, 180_000);

const image = makeImage({ layers: [200_000] });
const layer = image.layers[0]!;

/** One of each kind, told apart by its name. */
const secrets = {
  password: 'planted-password',
  filePassword: 'planted-file-password',
  mapPassword: 'planted-map-password',
  dockerPassword: 'planted-docker-password',
  helperPassword: 'planted-helper-password',
  token: 'planted-token',
  refreshToken: 'planted-refresh-token',
  realmQuery: 'planted-realm-query',
  userinfo: 'planted-userinfo',
  signature: 'planted-signature',
  proxyPassword: 'planted-proxy-password',
  clientHeader: 'planted-client-header',
};

const spellings = Object.values(secrets).flatMap(spellingsOf);
const found = (text: string, except: readonly string[] = []) =>
  spellings.filter(
    (spelling) => text.includes(spelling) && !except.some((known) => spellingsOf(known).includes(spelling)),
  );

const portsOf = ({ otherPorts: { tokenRealms, redirectHosts } }: FakeRegistry) => [...tokenRealms, ...redirectHosts];

/** What a client could see of an answer. */
const textOf = ({ status, headers, body }: Reply) => `${status} ${JSON.stringify(headers)} ${body.toString('latin1')}`;

/** The program, as its user runs it, with a password in every place where one can stand. */
class Place implements AsyncDisposable {
  private readonly responses: Reply[] = [];

  private constructor(
    readonly folder: Folder,
    readonly program: Program,
  ) {}

  /**
   * @param hosts of the namespaces `registry.test`, `file.test`, `map.test`, `docker.test` and `helper.test`.
   * @param otherPorts where they have tokens and content besides.
   */
  static async start(
    hosts: Record<string, string>,
    otherPorts: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<Place> {
    const folder = await Folder.make();
    await writeFile(folder.file('password'), `${secrets.filePassword}\n`);
    const auth = Buffer.from(`user:${secrets.dockerPassword}`).toString('base64');
    await writeFile(folder.file('config.json'), JSON.stringify({ auths: { [hosts['docker.test'] ?? '']: { auth } } }));
    const output = JSON.stringify({ Username: 'user', Secret: secrets.helperPassword });
    await writeFile(folder.file('helper'), `#!/bin/sh\necho ${secrets.helperPassword} >&2\necho '${output}'\n`);
    await chmod(folder.file('helper'), 0o755);
    const lines: Record<string, string> = {
      'registry.test': `, username: user, password: ${secrets.password}`,
      'file.test': `, username: user, password_file: '${folder.file('password')}'`,
      'docker.test': `, credentials: {docker_config: {file: '${folder.file('config.json')}'}}`,
      'helper.test': `, credentials: {helper: {name: '${folder.file('helper')}'}}`,
    };
    const others = JSON.stringify(otherPorts);
    const entries = Object.entries(hosts).map(
      ([name, host]) =>
        `- {namespace: ${name}, host: '${host}', tls: false, token_realms: ${others}, redirect_hosts: ${others}${lines[name] ?? ''}}`,
    );
    await writeFile(folder.file('upstreams.yaml'), entries.join('\n'));
    const map = { 'map.test': { username: 'user', password: secrets.mapPassword } };
    await writeFile(folder.file('credentials.json'), JSON.stringify(map));
    const program = await Program.start(
      ['--listen', '127.0.0.1:0', '--log-level', 'trace', '--upstream-config-file', 'upstreams.yaml'],
      {
        cwd: folder.path,
        env: {
          UPSTREAM_CREDENTIALS_FILE: folder.file('credentials.json'),
          HTTPS_PROXY: `http://user:${secrets.proxyPassword}@127.0.0.1:9`,
          ...env,
        },
      },
    );
    return new Place(folder, program);
  }

  async get(path: string, method = 'GET'): Promise<Reply> {
    const headers = { authorization: `Bearer ${secrets.clientHeader}`, cookie: secrets.clientHeader };
    const response = await request(`${this.program.url}/v2/${path}`, { method, headers });
    this.responses.push(response);
    return response;
  }

  /** All that a client of these registries may do, whatever comes of it. */
  async useAll(namespace = 'registry.test', repository = 'team/app'): Promise<number[]> {
    const path = `${namespace}/${repository}`;
    const responses: Reply[] = [];
    for (const endpoint of [
      'manifests/1',
      `manifests/${image.manifest.digest}`,
      `blobs/${layer.digest}`,
      `blobs/${image.config.digest}`,
      'tags/list',
      `referrers/${image.manifest.digest}`,
      'manifests/absent',
    ]) {
      responses.push(await this.get(`${path}/${endpoint}`));
      responses.push(await this.get(`${path}/${endpoint}`, 'HEAD'));
    }
    return responses.map(({ status }) => status);
  }

  /** Nothing planted in what it has logged, answered or stored; the files with the configuration are the operator's. */
  async expectNoSecrets(): Promise<void> {
    // It goes to a proxy, which is not there.
    await this.get('docker.io/library/nginx/manifests/1');
    for (const path of ['metrics', 'healthz', 'readyz']) {
      const response = await request(`${this.program.url}/${path}`);
      expect(response.status).toBe(200);
      this.responses.push(response);
    }
    this.program.kill('SIGTERM');
    await this.program.end;
    expect(found(this.program.stdout + this.program.stderr)).toEqual([]);
    for (const response of this.responses) expect(found(textOf(response))).toEqual([]);
    const root = join(this.folder.path, 'data');
    for (const file of await storedFiles(root))
      expect(found(file + (await readFile(join(root, file))).toString('latin1'))).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

describe.concurrent('a secret', () => {
  it.each<[string, FakeRegistryOptions]>([
    ['Basic', { auth: 'basic' }],
    ['a token', { auth: 'bearer', anonymous: false }],
    ['a token from another port', { auth: 'bearer', anonymous: false, token: { separatePort: true } }],
    ['a token and signed redirects', { auth: 'bearer', anonymous: false, redirectBlobs: 307, redirectManifests: 302 }],
  ])('stays where it belongs when all is well, with %s, from wherever it was read', async (_, options) => {
    const passwords = {
      'registry.test': secrets.password,
      'file.test': secrets.filePassword,
      'map.test': secrets.mapPassword,
      'docker.test': secrets.dockerPassword,
      'helper.test': secrets.helperPassword,
    };
    const registries = await Promise.all(
      Object.entries(passwords).map(async ([name, password]) => ({
        name,
        password,
        registry: await FakeRegistry.start({ ...options, password }),
      })),
    );
    const hosts = Object.fromEntries(registries.map(({ name, registry }) => [name, registry.host]));
    await using place = await Place.start(
      hosts,
      registries.flatMap(({ registry }) => portsOf(registry)),
    );
    for (const { name, registry } of registries) {
      registry.addImage('team/app', image, ['1']);
      const statuses = await place.useAll(name);
      expect([name, statuses.slice(0, 8)]).toEqual([name, Array.from({ length: 8 }, () => 200)]);
    }
    await place.expectNoSecrets();
    for (const { password, registry } of registries) {
      // The registry has had its own password and tokens, and nothing of anybody else's.
      const own = [password, secrets.token, secrets.signature];
      expect(found(JSON.stringify(registry.requests.map(({ url, headers }) => [url, headers])), own)).toEqual([]);
      expect(registry.cdn.authorizations).toBe(0);
      await registry.close();
    }
  });

  const outages: [string, (registry: FakeRegistry) => void][] = [
    ['another password', ({ behaviour }) => void (behaviour.password = 'changed')],
    [
      'a denial',
      ({ behaviour }) => void Object.assign(behaviour, { access: { 'team/app': 'denied' }, deniedStatus: 403 }),
    ],
    ['500', ({ behaviour }) => void (behaviour.outage = { status: 500, body: secrets.userinfo })],
    ['429', ({ behaviour }) => void (behaviour.outage = { status: 429, body: secrets.userinfo, retryAfter: 1 })],
    [
      '500 from its realm',
      ({ behaviour }) => void (behaviour.outage = { status: 500, kinds: ['token'], body: secrets.realmQuery }),
    ],
    [
      'a redirect of its realm',
      ({ behaviour }) =>
        void (behaviour.token.redirectTo = `http://x:${secrets.userinfo}@127.0.0.1:9/?${secrets.realmQuery}`),
    ],
    ['expired redirects', ({ behaviour }) => void Object.assign(behaviour.cdn, { lifetime: 0 })],
  ];
  it.each(outages)('is not told of by failures: %s', async (_, fail) => {
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false, redirectBlobs: 307 });
    registry.addImage('team/app', image, ['1']);
    await using place = await Place.start({ 'registry.test': registry.host }, portsOf(registry));
    fail(registry);
    const statuses = await place.useAll();
    expect(Math.max(...statuses)).toBeGreaterThanOrEqual(400);
    await registry.stop();
    await place.useAll();
    await place.expectNoSecrets();
  });

  /** What the registry says to everything, with the address of a host that is no business of its secrets. */
  const lies: [string, (foreign: ScriptedUpstream) => Script][] = [
    [
      'a foreign realm with a query',
      ({ host }) =>
        challenge(`Bearer realm="http://localhost:${host.split(':')[1]}/token?key=${secrets.realmQuery}",service="s"`),
    ],
    ['a realm with a password', ({ host }) => challenge(`Bearer realm="http://u:${secrets.userinfo}@${host}/token"`)],
    ['a realm that is none', () => challenge(`Bearer realm="${secrets.realmQuery}"`, `Basic ${secrets.userinfo}`)],
    ['a signed redirect', ({ url }) => redirect(`${url}/blob?X-Amz-Signature=${secrets.signature}`)],
    [
      'a redirect with a password',
      ({ host }) => redirect(`http://u:${secrets.userinfo}@${host}/?s=${secrets.signature}`),
    ],
    ['a redirect to no host', () => redirect(`http://gone.invalid/?s=${secrets.signature}`)],
    ['a redirect to a closed port', () => redirect(`http://127.0.0.1:9/?s=${secrets.signature}`)],
    ['a redirect to no URL', () => redirect(`http://[${secrets.userinfo}/?s=${secrets.signature}`)],
    [
      'secrets for headers',
      () =>
        plain(200, 'x', {
          'set-cookie': secrets.token,
          location: secrets.signature,
          'x-cache': secrets.token,
          etag: `"${secrets.token}"`,
          'content-type': secrets.token,
          'docker-content-digest': secrets.token,
          link: `<?n=1&last=x>; rel="next"; title="${secrets.token}"`,
        }),
    ],
    ['secrets in errors', () => plain(403, JSON.stringify({ errors: [{ code: 'DENIED', message: secrets.token }] }))],
    ['no HTTP', () => raw(`HTTP/9 ${secrets.token}\r\n${secrets.token}\r\n\r\n`)],
    [
      'a header that is none',
      () => [raw(`HTTP/1.1 200 ${secrets.token}\r\nx ${secrets.token}\u0001: 1\r\n\r\n`), cut()],
    ],
    [
      'an answer that breaks off',
      () => [head(200, { 'content-length': 100, 'x-secret': secrets.token }), raw(secrets.token), cut()],
    ],
  ];
  it.each(lies)('is not told of by an answer with %s', async (_, lie) => {
    await using upstream = await ScriptedUpstream.start();
    await using foreign = await ScriptedUpstream.start();
    foreign.on('*', /./, content(layer.body));
    upstream.on('*', /./, lie(foreign));
    await using place = await Place.start({ 'registry.test': upstream.host }, [foreign.host]);
    await place.useAll();
    await place.expectNoSecrets();
    // What the registry itself put into an address is for whoever is there; ours is not.
    const asked = foreign.requests.map(({ path, headers }) => [path, headers]);
    expect(found(JSON.stringify(asked), [secrets.signature, secrets.realmQuery])).toEqual([]);
    for (const { headers } of foreign.requests)
      expect([headers.authorization, headers.cookie]).toEqual([undefined, undefined]);
  });

  it.each([
    { token: secrets.token, refresh_token: secrets.refreshToken },
    { access_token: secrets.token, refresh_token: secrets.refreshToken, expires_in: secrets.refreshToken },
    { refresh_token: secrets.refreshToken, token: [secrets.token] },
    `not JSON ${secrets.token} ${secrets.refreshToken}`,
  ])('is not told of by a token answer like %j', async (response) => {
    await using upstream = await ScriptedUpstream.start();
    const body = typeof response === 'string' ? response : JSON.stringify(response);
    upstream.on('*', /^\/token/, plain(200, body));
    upstream.on(
      '*',
      /./,
      challenge(`Bearer realm="${upstream.url}/token?k=${secrets.realmQuery}",service="${secrets.realmQuery}"`),
    );
    await using place = await Place.start({ 'registry.test': upstream.host });
    await place.useAll();
    await place.expectNoSecrets();
    expect(JSON.stringify(upstream.requests.map(({ path, headers }) => [path, headers]))).not.toContain(
      secrets.refreshToken,
    );
  });
});

describe('the settings', () => {
  async function load(yaml: string, server: Record<string, string> = {}): Promise<Settings | string[]> {
    await using folder = await Folder.make();
    await writeFile(folder.file('upstreams.yaml'), yaml.replaceAll('DIR', folder.path));
    await writeFile(folder.file('password'), `${secrets.filePassword}\r\n`);
    await writeFile(folder.file('two-lines'), `${secrets.filePassword}\n${secrets.filePassword}\n`);
    await writeFile(folder.file('empty'), '\n');
    await writeFile(folder.file('map.json'), `{"map.test":{"username":"user","password":"${secrets.mapPassword}"}}\n`);
    await writeFile(folder.file('broken.json'), `{"map.test":{"username":"user","password":"${secrets.mapPassword}"`);
    const names = Object.entries(server).map(([name, value]) => [name, value.replaceAll('DIR', folder.path)]);
    try {
      const text = {
        'upstream-config-file': folder.file('upstreams.yaml'),
        ...(Object.fromEntries(names) as Record<string, string>),
      };
      return loadSettings({ server: text, storage: { name: 'filesystem', text: {} } });
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      expect(found(inspect(error) + error.message)).toEqual([]);
      return error.problems.map(({ path, reason }) => `${path}: ${reason}`.replaceAll(folder.path, 'DIR'));
    }
  }
  const entry = (rest: string) => `- {namespace: file.test, host: file.test, username: user, ${rest}}`;

  it('have passwords from files, without the end of their line, and show none of them', async () => {
    const loaded = (await load(entry('password_file: DIR/password'), {
      'upstream-credentials-file': 'DIR/map.json',
    })) as Settings;
    expect(loaded.upstreams.map(({ namespace, credentials }) => [namespace, credentials?.password.reveal()])).toEqual([
      ['file.test', secrets.filePassword],
      ['map.test', secrets.mapPassword],
    ]);
    const inline = (await load('[]', {
      'upstream-credentials': `{"map.test":{"username":"u","password":"${secrets.mapPassword}"}}`,
    })) as Settings;
    for (const settings of [loaded, inline, ...loaded.upstreams, inline.server]) {
      const printed = [
        JSON.stringify(settings),
        inspect(settings, { depth: null, showHidden: true, getters: true }),
        inspect(settings, { depth: null, customInspect: false }),
        format('%s %o %O %j', settings, settings, settings, settings),
        inspect(Object.entries(settings), { depth: null }),
      ];
      for (const text of printed) expect(found(text)).toEqual([]);
    }
  });

  it.each<[string, string, Record<string, string>, string]>([
    [
      'a password and its file',
      entry(`password: ${secrets.password}, password_file: DIR/password`),
      {},
      'upstreams[0].password_file: cannot be combined with password',
    ],
    [
      'a file that is absent',
      entry('password_file: DIR/absent'),
      {},
      'upstreams[0].password_file: cannot be read: ENOENT: no such file or directory: DIR/absent',
    ],
    [
      'a file that is a folder',
      entry('password_file: DIR'),
      {},
      'upstreams[0].password_file: cannot be read: EISDIR: illegal operation on a directory: DIR',
    ],
    [
      'a file of two lines',
      entry('password_file: DIR/two-lines'),
      {},
      'upstreams[0].password_file: must contain one line of text',
    ],
    [
      'a file without a line',
      entry('password_file: DIR/empty'),
      {},
      'upstreams[0].password_file: must contain one line of text',
    ],
    [
      'a file and no user',
      '- {namespace: a.test, host: a.test, password_file: DIR/password}',
      {},
      'upstreams[0].username: username and password must be set together',
    ],
    [
      'a map and its file',
      '[]',
      {
        'upstream-credentials': `{"m.test":{"username":"u","password":"${secrets.mapPassword}"}}`,
        'upstream-credentials-file': 'DIR/map.json',
      },
      '--upstream-credentials-file: cannot be combined with --upstream-credentials',
    ],
    [
      'a map that is absent',
      '[]',
      { 'upstream-credentials-file': 'DIR/absent' },
      '--upstream-credentials-file: cannot be read: ENOENT: no such file or directory: DIR/absent',
    ],
    [
      'a map that is no JSON',
      '[]',
      { 'upstream-credentials-file': 'DIR/broken.json' },
      '--upstream-credentials-file: must be a JSON map from namespace to {"username", "password"}',
    ],
  ])('with %s are a mistake', async (_, yaml, server, problem) => {
    expect(await load(yaml, server)).toEqual([problem]);
  });
});
