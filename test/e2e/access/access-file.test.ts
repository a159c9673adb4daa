import { hash as bcrypt } from 'bcryptjs';
import { execFileSync } from 'node:child_process';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { formatRobots, hashOfSecret } from '../../../src/access/authenticators/robots.js';
import { makeImage } from '../../fixtures/images.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { Folder } from '../support/folder.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

const path = '/v2/registry.test/team/app/manifests/v1';
const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const forBoth = `
  - { repositories: ['registry.test/**'], who: ['user:anna', 'robot:ci'], may: [pull] }
  - { repositories: ['**'], who: ['user:admin'], may: [admin] }
`;
const withoutAnna = forBoth.replace("'user:anna', ", '');

/** Replicas with an access file in a folder, as operators change it. */
async function setUp(replicas = 1) {
  const folder = await Folder.make();
  const upstream = await FakeRegistry.start();
  upstream.addImage('team/app', makeImage(), ['v1']);
  const hash = await bcrypt('secret', 4);
  const [accessFile, users, robots] = [folder.file('access.yaml'), folder.file('htpasswd'), folder.file('robots')];
  const writeRules = (rules: string, more = '') =>
    writeFile(accessFile, `users_file: ${users}\nrobots_file: ${robots}\n${more}rules:\n${rules}`);
  const writeUsers = (...names: string[]) => writeFile(users, names.map((name) => `${name}:${hash}\n`).join(''));
  const writeRobots = (...names: string[]) =>
    writeFile(robots, formatRobots(names.map((name) => ({ name, hash: hashOfSecret('secret') }))));
  await Promise.all([writeRules(forBoth), writeUsers('anna', 'admin'), writeRobots('ci')]);
  const clock = new MovingClock();
  const mirrors: Mirror[] = [];
  for (let count = 0; count < replicas; count += 1)
    mirrors.push(
      await Mirror.start({
        server: { accessFile },
        clock,
        // Replicas share the key of tokens.
        ...(replicas > 1 && { root: folder.file('content') }),
        upstreams: [{ namespace: 'registry.test', host: upstream.host }],
      }),
    );
  const close = async () => {
    for (const mirror of mirrors) await mirror[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { mirrors, folder, accessFile, clock, writeRules, writeUsers, writeRobots, [Symbol.asyncDispose]: close };
}

const statusOf = async (mirror: Mirror, authorization: string, target = path) =>
  (await mirror.request.get(target).set('authorization', authorization)).status;

async function tokenFor(mirror: Mirror, user: string): Promise<string> {
  const query = { scope: 'repository:registry.test/team/app:pull' };
  const response = await mirror.request.get('/token').query(query).set('authorization', basic(user));
  return `Bearer ${(response.body as { token: string }).token}`;
}

describe('the access file', () => {
  it('takes a right away at once when its rule has gone, at each replica and from tokens too', async () => {
    await using scene = await setUp(2);
    const token = await tokenFor(scene.mirrors[0]!, 'anna');
    for (const mirror of scene.mirrors) expect(await statusOf(mirror, token)).toBe(200);
    await scene.writeRules(withoutAnna);
    for (const mirror of scene.mirrors) {
      await until('the rule has gone', async () => (await statusOf(mirror, token)) === 403);
      expect(await statusOf(mirror, basic('robot+ci'))).toBe(200);
    }
    // Nest has one logger in a process: that of the replica which started last.
    expect(scene.mirrors[1]!.log).toContain(`${scene.accessFile} has been read again`);
  });

  it('is read again through a symbolic link, as Kubernetes changes it', async () => {
    await using scene = await setUp();
    const [mirror] = scene.mirrors;
    await rename(scene.accessFile, scene.folder.file('one'));
    await symlink(scene.folder.file('one'), scene.accessFile);
    await scene.writeRules(forBoth);
    expect(await statusOf(mirror!, basic('anna'))).toBe(200);
    await writeFile(scene.folder.file('two'), `users_file: ${scene.folder.file('htpasswd')}\nrules:\n${withoutAnna}`);
    await symlink(scene.folder.file('two'), scene.folder.file('next'));
    await rename(scene.folder.file('next'), scene.accessFile);
    await until('the rule has gone', async () => (await statusOf(mirror!, basic('anna'))) === 403);
  });

  it('with a mistake keeps the rules before it, says so in the log, a metric and on the status page, until it is right', async () => {
    await using scene = await setUp();
    const [mirror] = scene.mirrors;
    const mistakes = [
      () => scene.writeRules("  - { repositories: [planted], who: ['user:anna'], may: [fly] }\n"),
      () => writeFile(scene.accessFile, 'rules: ['),
      () => writeFile(scene.accessFile, ''),
      () => scene.writeRules(withoutAnna, 'token_key_file: /nowhere/planted-key\n'),
      () => rm(scene.accessFile),
    ];
    for (const [index, make] of mistakes.entries()) {
      await make();
      const rejected = async () =>
        (await Scrape.of(mirror!.url)).get('oci_registry_access_file_changes_total{file="access",result="rejected"}');
      await until('it has been rejected', async () => (await rejected()) === index + 1);
      expect(await statusOf(mirror!, basic('anna'))).toBe(200);
    }
    const scrape = await Scrape.of(mirror!.url);
    expect(scrape.get('oci_registry_access_files_rejected{file="access"}')).toBe(1);
    expect(mirror!.log).toContain(
      `${scene.accessFile}: access.rules[0].repositories: a list: the 1st must be a namespace and a name`,
    );
    expect(mirror!.log).toContain('what was read before stays');
    const page = await mirror!.request.get('/').set('authorization', basic('admin')).set('accept', 'text/html');
    expect(page.text).toMatch(/access\.yaml<\/th><td [^>]*><span><span class="bad">not used<\/span>: ENOENT/);
    await scene.writeRules(withoutAnna);
    await until('it is in use', async () => (await statusOf(mirror!, basic('anna'))) === 403);
    expect((await Scrape.of(mirror!.url)).get('oci_registry_access_files_rejected{file="access"}')).toBe(0);
  });

  it('that has no end, or names such a file, is refused at once, and a good one after it is read', async () => {
    await using scene = await setUp();
    const [mirror] = scene.mirrors;
    const fifo = scene.folder.file('fifo');
    execFileSync('mkfifo', [fifo]);
    const link = async (target: string) => {
      await rm(scene.accessFile);
      await symlink(target, scene.accessFile);
    };
    const rules = `rules:\n${withoutAnna}`;
    const mistakes: [reason: string, make: () => Promise<void>][] = [
      [`${scene.accessFile}: is not a regular file;`, () => link(fifo)],
      [
        `${fifo}: is not a regular file;`,
        () => rm(scene.accessFile).then(() => writeFile(scene.accessFile, `users_file: ${fifo}\n${rules}`)),
      ],
      ['/dev/zero: is not a regular file;', () => writeFile(scene.accessFile, `token_key_file: /dev/zero\n${rules}`)],
      [`${fifo} is not a regular file;`, () => writeFile(scene.accessFile, `audit_log: ${fifo}\n${rules}`)],
    ];
    for (const [reason, make] of mistakes) {
      await make();
      await until('it has been rejected', () => mirror!.log.includes(reason));
      scene.clock.pass(2);
      expect(await statusOf(mirror!, basic('anna'))).toBe(200);
    }
    await scene.writeRules(withoutAnna);
    await until('it is in use', async () => (await statusOf(mirror!, basic('anna'))) === 403);
  });

  it('that names a file which comes later is in use as soon as that is there', async () => {
    await using scene = await setUp();
    const [mirror] = scene.mirrors;
    await writeFile(scene.accessFile, `users_file: ${scene.folder.file('later')}\nrules:\n${withoutAnna}`);
    await until('it has been rejected', () => mirror!.log.includes('/later: ENOENT'));
    await rename(scene.folder.file('htpasswd'), scene.folder.file('later'));
    await until('it is in use', async () => (await statusOf(mirror!, basic('anna'))) === 403);
  });
});

/** The figure of revocation: 300 s, the lifetime of a token, and a second. */
describe('revocation', () => {
  it.each([
    ['user', 'anna'],
    ['robot', 'robot+ci'],
  ])('of a %s counts at all replicas for tokens, passwords and new tokens', async (kind, name) => {
    await using scene = await setUp(2);
    const { mirrors, clock } = scene;
    const token = await tokenFor(mirrors[0]!, name);
    for (const mirror of mirrors)
      expect([await statusOf(mirror, token), await statusOf(mirror, basic(name))]).toEqual([200, 200]);
    await (kind === 'user' ? scene.writeUsers('admin') : scene.writeRobots('other'));
    clock.pass(1.1);
    for (const mirror of mirrors) {
      // A look that began before the change may still be going on.
      await until('its password is refused', async () => (await statusOf(mirror, basic(name))) === 401);
      await until('its token is refused', async () => (await statusOf(mirror, token)) === 401);
      expect(await statusOf(mirror, basic(name), '/token?scope=repository:registry.test/team/app:pull')).toBe(401);
    }
  });

  it('needs no file that can be read: a token ends after 300 seconds', async () => {
    await using scene = await setUp();
    const [mirror] = scene.mirrors;
    const token = await tokenFor(mirror!, 'anna');
    await rm(scene.folder.file('htpasswd'));
    // Its end is a whole second, up to one earlier.
    scene.clock.pass(298);
    expect(await statusOf(mirror!, token)).toBe(200);
    scene.clock.pass(3);
    expect(await statusOf(mirror!, token)).toBe(401);
    // In an upload session, which somebody may be in the middle of, a minute later.
    const session = `/v2/registry.test/team/app/blobs/uploads/${'a'.repeat(32)}`;
    const patch = async () => (await mirror!.request.patch(session).set('authorization', token).send('x')).status;
    expect(await patch()).not.toBe(401);
    expect((await mirror!.request.post(session.slice(0, -32)).set('authorization', token)).status).toBe(401);
    scene.clock.pass(60);
    expect(await patch()).toBe(401);
  });
});
