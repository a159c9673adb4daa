import { hash as bcrypt } from 'bcryptjs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../../src/access/ldap/ber.js';
import { encodeMessage } from '../../../src/access/ldap/messages.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { makeImage } from '../../fixtures/images.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { FakeDirectory, result, searchEntry, type DirectoryEntry } from '../../fakes/ldap-directory.js';
import { Folder } from '../support/folder.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

const people = 'ou=people,dc=test';
const anna: DirectoryEntry = {
  dn: `uid=anna,${people}`,
  password: 'secret',
  attributes: { uid: ['anna'], memberOf: ['cn=team,ou=groups,dc=test', 'cn=other,ou=groups,dc=test'] },
};
/** Is in a group of the same name that somebody else made. */
const bert: DirectoryEntry = {
  dn: `uid=bert,${people}`,
  password: 'secret',
  attributes: { uid: ['bert'], memberOf: ['cn=team,ou=own,dc=test'] },
};
const others = ['carl', 'dora', 'emil', 'fred', 'gina', 'hans'].map((name) => ({
  dn: `uid=${name},${people}`,
  password: 'secret',
  attributes: { uid: [name], memberOf: [] },
}));
const entries: readonly DirectoryEntry[] = [
  { dn: people },
  { dn: 'cn=registry,ou=services,dc=test', password: 'service' },
  anna,
  bert,
  ...others,
  { dn: `uid=root,ou=admins,dc=test`, password: 'secret', attributes: { uid: ['root'] } },
  { dn: 'cn=team,ou=groups,dc=test', attributes: { cn: ['team'], member: [anna.dn] } },
];

const byDn = `user_dn: 'uid={user},${people}'`;
const rules = `
  - { repositories: ['registry.test/open/**'], who: [anonymous], may: [pull] }
  - { repositories: ['registry.test/team/**'], who: ['group:team'], may: [pull] }
`;
const team = '/v2/registry.test/team/app/manifests/v1';
const open = '/v2/registry.test/open/app/manifests/v1';
const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface Options {
  /** Further keys of the access file. */
  readonly more?: string;
  readonly url?: string;
  readonly directory?: FakeDirectory;
}

/** A mirror whose users are in a directory. @param ldap keys of the section, but the URL */
async function setUp(ldap: string, { more = '', directory: given, url }: Options = {}) {
  const folder = await Folder.make();
  const upstream = await FakeRegistry.start();
  const directory = given ?? (await FakeDirectory.start(entries));
  for (const name of ['team/app', 'open/app']) upstream.addImage(name, makeImage(), ['v1']);
  await writeFile(folder.file('password'), 'service\n');
  const clock = new MovingClock();
  const section = `{ url: '${url ?? `ldap://${directory.host}`}', ${ldap.replaceAll('FOLDER', folder.path)} }`;
  const mirror = await Mirror.start({
    clock,
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    access: `ldap: ${section}\n${more}rules:${rules}`,
  });
  const statusOf = async (user: string, password = 'secret', path = '/v2/') =>
    (await mirror.request.get(path).set('authorization', basic(user, password))).status;
  const close = async () => {
    await mirror[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { mirror, directory, clock, folder, statusOf, [Symbol.asyncDispose]: close };
}

const bySearch = `bind_dn: 'cn=registry,ou=services,dc=test', bind_password_file: FOLDER/password,
  search_base: '${people}', user_filter: '(&(objectClass=*)(uid={user}))'`;

describe('a user of a directory', () => {
  it.each([
    ['by DN', byDn, 'bind search'],
    ['by a search', bySearch, 'bind search bind'],
    ['by an anonymous search', `search_base: '${people}', user_filter: '(uid={user})'`, 'search bind'],
    [
      'by DN, with a search for groups',
      `${byDn}, group_base: 'ou=groups,dc=test', group_filter: '(member={dn})'`,
      'bind search',
    ],
    [
      'by a search, with one for groups',
      `${bySearch}, group_base: 'ou=groups,dc=test', group_filter: '(member={dn})'`,
      'bind search bind bind search',
    ],
  ])('signs in with groups: %s', async (_, ldap, requests) => {
    await using scene = await setUp(ldap);
    const { directory, statusOf } = scene;
    expect(await statusOf('anna', 'secret', team)).toBe(200);
    expect(directory.take()).toBe(requests);
    expect(await statusOf('anna', 'wrong', team)).toBe(401);
    expect(await statusOf('carl', 'secret', team)).toBe(403);
    expect(await statusOf('carl', 'secret', open)).toBe(200);
  });

  it('has only groups below group_base, if that is set', async () => {
    await using everywhere = await setUp(byDn);
    expect(await everywhere.statusOf('bert', 'secret', team)).toBe(200);
    await using below = await setUp(`${byDn}, group_base: 'OU=groups, dc=test'`);
    expect(await below.statusOf('bert', 'secret', team)).toBe(403);
    expect(await below.statusOf('anna', 'secret', team)).toBe(200);
  });

  it('gets tokens, which count without asking anybody, and is in the audit log and the metrics', async () => {
    await using folder = await Folder.make();
    {
      await using scene = await setUp(byDn, { more: `audit_log: ${folder.file('audit')}\n` });
      const { mirror, directory, statusOf } = scene;
      const scope = 'repository:registry.test/team/app:pull';
      const answer = await mirror.request.get('/token').query({ scope }).set('authorization', basic('anna'));
      const { token } = answer.body as { token: string };
      directory.take();
      await directory.goDown();
      expect((await mirror.request.get(team).set('authorization', `Bearer ${token}`)).status).toBe(200);
      await directory.comeBack();
      expect(await statusOf('anna', 'planted')).toBe(401);
      const scrape = await Scrape.of(mirror.url);
      const counts = (method: string, of: string) =>
        scrape.get(`oci_registry_sign_ins_total{method="${method}",result="${of}"}`);
      expect([counts('ldap', 'accepted'), counts('ldap', 'credentials'), counts('token', 'accepted')]).toEqual([
        1, 1, 1,
      ]);
      expect(counts('password', 'credentials')).toBe(0);
      expect(mirror.log).not.toMatch(/planted|secret/);
    }
    const text = await readFile(folder.file('audit'), 'utf8');
    expect(text).toContain('"subject":"user:anna","issuer":"ldap"');
    expect(text).not.toMatch(/planted|secret/);
  });

  it('has one name, however it is written', async () => {
    await using scene = await setUp(byDn, { more: 'groups: { team: [carl] }\n' });
    const { statusOf, directory } = scene;
    for (const name of ['carl', 'CARL', 'Ｃarl']) expect(await statusOf(name, 'secret', team)).toBe(200);
    expect(directory.requests.filter(({ kind }) => kind === 'bind')).toHaveLength(1);
    for (const name of ['carl ', ' carl', 'ca\u00ADrl', 'c\u200Barl']) expect(await statusOf(name)).toBe(401);
  });

  it('is of the groups of the access file of now, with a token too', async () => {
    await using folder = await Folder.make();
    await using directory = await FakeDirectory.start(entries);
    const ldap = `ldap: { url: 'ldap://${directory.host}', ${byDn} }`;
    const write = (groups: string) => writeFile(folder.file('access'), `${ldap}\ngroups: ${groups}\nrules:${rules}`);
    await write('{ team: [carl] }');
    await using upstream = await FakeRegistry.start();
    upstream.addImage('team/app', makeImage(), ['v1']);
    const clock = new MovingClock();
    await using mirror = await Mirror.start({
      clock,
      server: { accessFile: folder.file('access') },
      upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    });
    const scope = 'repository:registry.test/team/app:pull';
    const tokenOf = async (name: string) => {
      const answer = await mirror.request.get('/token').query({ scope }).set('authorization', basic(name));
      return (answer.body as { token: string }).token;
    };
    const tokens = { anna: await tokenOf('anna'), carl: await tokenOf('carl') };
    const statuses = async () => [
      (await mirror.request.get(team).set('authorization', `Bearer ${tokens.anna}`)).status,
      (await mirror.request.get(team).set('authorization', `Bearer ${tokens.carl}`)).status,
    ];
    expect(await statuses()).toEqual([200, 200]);
    await write('{ team: [nobody] }');
    await expect.poll(statuses, { timeout: 10_000 }).toEqual([200, 403]);
    directory.take();
    expect((await mirror.request.get('/v2/').set('authorization', basic('anna'))).status).toBe(200);
    expect(directory.take()).toBe('');
  });
});

describe('passwords of a directory', () => {
  it('are remembered for two minutes, and asked about again after that', async () => {
    await using scene = await setUp(byDn);
    const { directory, clock, statusOf } = scene;
    expect(await statusOf('anna')).toBe(200);
    directory.take();
    directory.entries = entries.filter((entry) => entry !== anna);
    clock.pass(119);
    expect(await statusOf('anna')).toBe(200);
    expect(await statusOf('anna', 'secret2')).toBe(401);
    expect(directory.take()).toBe('bind');
    clock.pass(2);
    expect(await statusOf('anna')).toBe(401);
  });

  it('are asked about once for requests at the same time', async () => {
    await using scene = await setUp(byDn);
    const { directory, statusOf } = scene;
    directory.delay = 300;
    const statuses = await Promise.all(Array.from({ length: 10 }, () => statusOf('anna')));
    expect(statuses).toEqual(Array(10).fill(200));
    expect(directory.take()).toBe('bind search');
  });

  it('are asked about each time with cache: 0s', async () => {
    await using scene = await setUp(`${byDn}, cache: 0s`);
    for (let count = 0; count < 2; count += 1) expect(await scene.statusOf('anna')).toBe(200);
    expect(scene.directory.take()).toBe('bind search bind search');
  });

  it('that are empty are refused, although a directory accepts them (RFC 4513 §5.1.2)', async () => {
    for (const ldap of [byDn, bySearch]) {
      await using scene = await setUp(ldap);
      for (const name of ['anna', 'nobody']) expect(await scene.statusOf(name, '')).toBe(401);
      expect(scene.directory.connections).toBe(0);
    }
  });

  it('cost the same for an unknown user', async () => {
    for (const ldap of [byDn, bySearch]) {
      await using scene = await setUp(ldap);
      const { directory, statusOf } = scene;
      expect(await statusOf('anna', 'wrong')).toBe(401);
      const known = directory.take();
      expect(await statusOf('nobody', 'wrong')).toBe(401);
      expect(directory.take()).toBe(known);
    }
  });

  it('that are wrong are slowed, for all spellings of a name together', async () => {
    await using scene = await setUp(byDn);
    const { statusOf, mirror } = scene;
    const statuses: number[] = [];
    for (const name of ['anna', 'ANNA', 'Anna', 'aNNA', 'annA', 'anna']) statuses.push(await statusOf(name, 'wrong'));
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    const busy = (await Scrape.of(mirror.url)).get('oci_registry_sign_ins_total{method="ldap",result="busy"}');
    expect(busy).toBe(1);
  });
});

describe('with unknown credentials as none', () => {
  const more = 'unknown_credentials: anonymous\n';
  it.each([
    ['a DN', byDn],
    ['a search', bySearch],
  ])(
    'names of Docker Hub do not delay others at their address, and are asked about once a minute: %s',
    async (_, ldap) => {
      await using scene = await setUp(ldap, { more });
      const { directory, clock, statusOf } = scene;
      for (let index = 0; index < 52; index += 1) expect(await statusOf(`hub-${index}`, 'hub', open)).toBe(200);
      expect(await statusOf('anna', 'secret', team)).toBe(200);
      directory.take();
      for (let count = 0; count < 8; count += 1) expect(await statusOf('hub-51', 'hub', open)).toBe(200);
      expect(directory.take()).toBe('');
      clock.pass(61);
      const isAsked = async () => (await statusOf('hub-51', 'hub', open)) === 200 && directory.take() !== '';
      await until('it is asked about again', isAsked);
    },
  );

  it.each([
    ['is down', (directory: FakeDirectory) => directory.goDown()],
    ['hangs', (directory: FakeDirectory) => void (directory.script = () => 'nothing')],
  ])('what anonymous may do does not need a directory that %s', async (how, fail) => {
    await using scene = await setUp(`${byDn}, timeout: 1s`, { more });
    const { mirror, directory, clock, statusOf } = scene;
    expect(await statusOf('anna', 'secret', team)).toBe(200);
    await fail(directory);
    expect(await statusOf('hub', 'hub', open)).toBe(200);
    // A slow machine must not outlast the pause.
    clock.pass(-3600);
    directory.take();
    const { connections } = directory;
    for (let index = 0; index < 5; index += 1) expect(await statusOf(`hub-${index}`, 'hub', open)).toBe(200);
    const tokenFor = (name: string) => {
      const scope = `repository:registry.test/${name}/app:pull`;
      return mirror.request.get('/token').query({ scope }).set('authorization', basic('hub'));
    };
    expect((await tokenFor('open')).status).toBe(200);
    // What it may not do could be a user's of the directory.
    expect((await tokenFor('team')).status).toBe(503);
    for (const path of [team, '/v2/']) expect(await statusOf('hub', 'hub', path)).toBe(503);
    expect([directory.connections, directory.take()]).toEqual([connections, '']);
    // One asks again, and finds that it responds.
    clock.pass(3600 + 60);
    directory.script = (_request, usual) => usual;
    if (how === 'is down') await directory.comeBack();
    expect(await statusOf('carl')).toBe(200);
    expect(await statusOf('hub', 'hub', team)).toBe(401);
  });

  it.each([
    ['a DN', byDn],
    ['a search', bySearch],
  ])('guesses at one user are slowed: %s', async (_, ldap) => {
    await using scene = await setUp(ldap, { more });
    const { directory, clock, statusOf } = scene;
    for (let index = 0; index < 8; index += 1) expect(await statusOf('anna', `wrong-${index}`, team)).toBe(401);
    const binds = directory.requests.filter(({ dn }) => dn === anna.dn);
    expect(binds).toHaveLength(5);
    expect(await statusOf('anna', 'secret', team)).toBe(401);
    clock.pass(2);
    expect(await statusOf('anna', 'secret', team)).toBe(200);
  });
});

describe('names that try to be more than names', () => {
  const hostile = [
    '*',
    '*)(uid=*',
    'anna)(|(uid=*',
    'anna)(objectClass=*',
    'an*',
    'root,ou=admins,dc=test#',
    'anna,ou=people,dc=test+uid=anna',
    '\\2a',
    'anna\\',
    '"anna"',
    '{user}',
    '{dn}',
  ];
  it.each([
    ['a filter', bySearch],
    ['a DN', byDn],
    ['a DN without the rest', "user_dn: 'uid={user}'"],
  ])('stay values in %s', async (_, ldap) => {
    await using scene = await setUp(ldap);
    const { directory, statusOf } = scene;
    for (const name of hostile) {
      expect(await statusOf(name)).toBe(401);
      const search = directory.requests.find(({ kind }) => kind === 'search');
      if (search) expect(search.values).toEqual([name.normalize('NFKC').toLowerCase()]);
      directory.take();
    }
    expect(await statusOf('root,ou=admins,dc=test')).toBe(401);
  });
});

describe('a directory that is down', () => {
  it('at the start, and later, concerns its own users alone', async () => {
    await using directory = await FakeDirectory.start(entries);
    await directory.goDown();
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `local:${await bcrypt('secret', 4)}\n`);
    await using scene = await setUp(byDn, { directory, more: `users_file: ${folder.file('htpasswd')}\n` });
    const { mirror, statusOf } = scene;
    const refused = await mirror.request.get('/v2/').set('authorization', basic('anna'));
    expect(refused.status).toBe(503);
    expect(refused.get('retry-after')).toBe('5');
    expect(refused.body).toMatchObject({
      errors: [{ code: 'UNAVAILABLE', message: 'the directory of users does not respond' }],
    });
    expect(await statusOf('local')).toBe(200);
    expect((await mirror.request.get(open)).status).toBe(200);
    expect(await statusOf('anna')).toBe(503);
    expect(mirror.log.match(/its users cannot sign in/g)).toHaveLength(1);
    await directory.comeBack();
    expect(await statusOf('anna', 'secret', team)).toBe(200);
    await directory.goDown();
    // What was verified counts for its time.
    expect(await statusOf('anna', 'secret', team)).toBe(200);
    expect(await statusOf('carl')).toBe(503);
  });

  it('while it hangs keeps nobody longer than its timeout, and has no more connections than allowed', async () => {
    await using scene = await setUp(`${byDn}, timeout: 1s, max_connections: 2`);
    const { mirror, directory, statusOf } = scene;
    directory.script = () => 'nothing';
    const waiting = Promise.all(others.map(({ attributes }) => statusOf(attributes.uid[0]!)));
    await until('two have asked', () => directory.requests.length === 2);
    expect((await mirror.request.get(open)).status).toBe(200);
    await sleep(100);
    expect(directory.connections).toBe(2);
    expect(await waiting).toEqual(others.map(() => 503));
    directory.script = (_request, usual) => usual;
    expect(await statusOf('anna')).toBe(200);
  });
});

describe('a directory that refuses later than its timeout', () => {
  it('has wrong passwords slowed', async () => {
    await using scene = await setUp(`${byDn}, timeout: 2s, max_connections: 5`);
    const { directory, clock, statusOf } = scene;
    directory.script = ({ password }, usual) => (password.startsWith('wrong') ? 'nothing' : usual);
    const guesses = Array.from({ length: 5 }, (_, index) => statusOf('anna', `wrong-${index}`));
    expect(await Promise.all(guesses)).toEqual(Array(5).fill(503));
    // A slow machine must not outlast the wait.
    clock.pass(-10);
    expect(await statusOf('anna', 'wrong-5')).toBe(429);
    expect(await statusOf('carl')).toBe(200);
  });
});

describe('users of the file', () => {
  it('at an address do not wait for those of a directory that hangs', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `local:${await bcrypt('secret', 4)}\n`);
    const more = `users_file: ${folder.file('htpasswd')}\n`;
    await using scene = await setUp(`${byDn}, timeout: 30s`, { more });
    const { mirror, directory, statusOf } = scene;
    directory.script = () => 'nothing';
    const waiting = Promise.all(Array.from({ length: 60 }, (_, index) => statusOf(`user-${index}`)));
    const busy = async () =>
      (await Scrape.of(mirror.url)).get('oci_registry_sign_ins_total{method="ldap",result="busy"}');
    // Those beyond the 50 of an address that may be in progress.
    await until('all have come', async () => (await busy()) === 10);
    expect(await statusOf('local')).toBe(200);
    directory.script = (_request, usual) => usual;
    await directory.goDown();
    await waiting;
  });

  it('come first, and their passwords are not sent to the directory', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('local', 4)}\n`);
    await using scene = await setUp(byDn, { more: `users_file: ${folder.file('htpasswd')}\n` });
    const { directory, statusOf } = scene;
    expect(await statusOf('anna', 'local')).toBe(200);
    for (const name of ['anna', 'Anna', 'ＡＮＮＡ']) expect(await statusOf(name)).toBe(401);
    expect(directory.connections).toBe(0);
    expect(await statusOf('carl')).toBe(200);
  });
});

describe('a directory that sends something else', () => {
  const long = Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]);
  const message = (id: number, operation: string) =>
    encode(0x30, encode(0x02, Buffer.from([id])), Buffer.from(operation, 'hex'));
  const many = (id: number) => searchEntry(id, { dn: 'x'.repeat(60_000) });
  const responses: [string, (id: number, usual: Buffer) => Buffer][] = [
    ['random bytes', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(20))],
    ['a message of 2 GiB', () => long],
    ['megabytes in a message', () => Buffer.concat([long, Buffer.alloc(2_000_000)])],
    ['an indefinite length', () => Buffer.from([0x30, 0x80, 0, 0])],
    ['a list longer than its message', (id) => message(id, '6406040030500000')],
    ['an entry whose lists are longer than it', (id) => message(id, '6405040130307f')],
    ['entries without an end', (id) => Buffer.concat(Array.from({ length: 30 }, () => many(id)))],
    ['no operation', (id) => encode(0x30, encode(0x02, Buffer.from([id])))],
    ['a response to another request', (id) => result(id + 1, 0x61, 0)],
    ['a notice of disconnection', () => result(0, 0x78, 52)],
    ['another operation', (id) => result(id, 0x65 + 0x06, 0)],
    ['a result without a code', (id) => message(id, '6100')],
    ['a code that is no number', (id) => message(id, '610704017804000400')],
  ];

  let scene: Awaited<ReturnType<typeof setUp>>;
  beforeAll(async () => {
    scene = await setUp(`${byDn}, timeout: 1s, cache: 0s`);
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  it.each(responses)('%s: 503, and nothing else suffers', async (_, respond) => {
    const { mirror, directory, statusOf } = scene;
    for (const kind of ['bind', 'search'] as const) {
      directory.script = (request, usual) => (request.kind === kind ? respond(request.id, usual) : usual);
      expect(await statusOf('anna')).toBe(503);
    }
    expect((await mirror.request.get(open)).status).toBe(200);
    directory.script = (_request, usual) => usual;
    expect(await statusOf('anna')).toBe(200);
  });

  it('a referral is not followed', async () => {
    await using elsewhere = await FakeDirectory.start(entries);
    const url = Buffer.from(`ldap://${elsewhere.host}/`);
    const referral = encode(0xa3, encode(0x04, url));
    await using scene = await setUp(bySearch);
    const { directory, statusOf } = scene;
    directory.script = (request, usual) => (request.kind === 'search' ? result(request.id, 0x65, 10, referral) : usual);
    expect(await statusOf('anna')).toBe(401);
    directory.script = ({ kind, id }, usual) =>
      kind === 'search' ? Buffer.concat([encodeMessage(id, encode(0x73, encode(0x04, url))), usual]) : usual;
    expect(await statusOf('anna', 'secret', team)).toBe(200);
    directory.script = ({ kind, id, dn }, usual) =>
      kind === 'bind' && dn.startsWith('uid=') ? result(id, 0x61, 10, referral) : usual;
    expect(await statusOf('carl')).toBe(401);
    expect(elsewhere.connections).toBe(0);
  });

  it('bytes one by one are put together', async () => {
    await using scene = await setUp(byDn);
    const { directory, statusOf } = scene;
    directory.slices = 1;
    expect(await statusOf('anna', 'secret', team)).toBe(200);
  });

  it('several entries are nobody', async () => {
    await using scene = await setUp(bySearch);
    const { directory, statusOf } = scene;
    directory.script = ({ kind, id }, usual) =>
      kind === 'search' ? Buffer.concat([searchEntry(id, anna), searchEntry(id, bert), result(id, 0x65, 0)]) : usual;
    expect(await statusOf('anna')).toBe(401);
    // An entry without a name would be bound to anonymously.
    directory.script = ({ kind, id }, usual) =>
      kind === 'search' ? Buffer.concat([searchEntry(id, { dn: '' }), result(id, 0x65, 0)]) : usual;
    expect(await statusOf('anna')).toBe(401);
  });
});

describe('encryption', () => {
  const certificate = makeCertificate();
  const secure = async (tls: boolean, ldap: string, cert = certificate) => {
    const directory = await FakeDirectory.start(entries, cert, { tls });
    const scheme = tls ? 'ldaps' : 'ldap';
    return setUp(ldap, { directory, url: `${scheme}://${directory.host}` });
  };

  it.each([
    ['ldaps', true, ''],
    ['StartTLS', false, 'start_tls: true, '],
  ])('by %s needs a certificate that is trusted', async (_, isTls, keys) => {
    await using folder = await Folder.make();
    await writeFile(folder.file('ca.pem'), certificate.cert);
    const ldap = `${keys}${byDn}`;
    await using trusted = await secure(isTls, `${ldap}, ca_file: ${folder.file('ca.pem')}`);
    expect(await trusted.statusOf('anna', 'secret', team)).toBe(200);
    expect(trusted.directory.requests.filter(({ kind }) => kind === 'bind')).toMatchObject([{ isEncrypted: true }]);
    await using unknown = await secure(isTls, ldap);
    const other = makeCertificate(['ldap.other.test']);
    await writeFile(folder.file('other.pem'), other.cert);
    await using misnamed = await secure(isTls, `${ldap}, ca_file: ${folder.file('other.pem')}`, other);
    for (const { statusOf, directory } of [unknown, misnamed]) {
      expect(await statusOf('anna')).toBe(503);
      expect(directory.requests.filter(({ kind }) => kind === 'bind')).toEqual([]);
    }
  });

  it('that the directory refuses by StartTLS is not done without', async () => {
    await using scene = await secure(false, `start_tls: true, ${byDn}`);
    const { directory, statusOf } = scene;
    directory.script = (request, usual) => (request.kind === 'start-tls' ? result(request.id, 0x78, 53) : usual);
    expect(await statusOf('anna')).toBe(503);
    expect(directory.take()).toBe('start-tls');
  });

  it('does not take what came before TLS for a response to what was sent after it', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('ca.pem'), certificate.cert);
    await using scene = await secure(false, `start_tls: true, ca_file: ${folder.file('ca.pem')}, ${byDn}`);
    const { directory, statusOf } = scene;
    // A success of the bind that follows, whole, and without a last byte, which the first byte of the true one would be.
    const forged = [result(2, 0x61, 0), encode(0x30, Buffer.from('02010261080a0100040004013f', 'hex')).subarray(0, -1)];
    for (const bytes of forged) {
      directory.script = ({ kind }, usual) => (kind === 'start-tls' ? Buffer.concat([usual, bytes]) : usual);
      expect(await statusOf('anna', 'wrong')).not.toBe(200);
    }
    expect(directory.requests.filter(({ kind }) => kind === 'bind')).toEqual([]);
  });
});
