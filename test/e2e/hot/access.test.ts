import { hash as bcrypt } from 'bcryptjs';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessService } from '../../../src/access/access.service.js';
import { formatRobots, hashOfSecret } from '../../../src/access/authenticators/robots.js';
import { makeSigningKey } from '../../../src/access/tokens/signing.keys.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';
import { Twins } from './support/twins.js';

const image = makeImage({ layers: [20_000], seed: 'hot access' });
const app = '/v2/registry.test/team/app';
const target = `${app}/manifests/1`;
const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const get = (authorization?: string, more = '', path = target) =>
  `GET ${path} HTTP/1.1\r\nhost: m\r\nx-request-id: plain\r\n${more}` +
  `${authorization === undefined ? '' : `authorization: ${authorization}\r\n`}\r\n`;

const hash = await bcrypt('secret', 4);
const forAll = `- { repositories: ['registry.test/**'], who: ['user:anna', 'robot:ci'], may: [pull] }`;

let folder: Folder;
let clock: MovingClock;
let twins: Twins;
let token: string;

/** Changes a file, and waits until both have read it. */
const rewrite = async (name: string, text: string) => {
  const services = twins.both.map((mirror) => mirror.app.get(AccessService));
  const changed = clock.now();
  await writeFile(folder.file(name), text);
  const isRead = ({ files }: AccessService) =>
    files.some(({ path, readAt }) => path === folder.file(name) && readAt > changed);
  await until(`${name} is read`, async () => {
    clock.pass(1.1);
    for (const service of services) await service.look();
    return services.every(isRead);
  });
};
const accessWith = (rules: string, more = '') =>
  `users_file: ${folder.file('users')}\nrobots_file: ${folder.file('robots')}\ntoken_key_file: ${folder.file('keys')}\n` +
  `trusted_proxies: [127.0.0.1/32]\n${more}rules:\n  ${rules}\n`;
const robots = (...names: string[]) =>
  formatRobots(names.map((name) => ({ name, hash: hashOfSecret('secret'), expiresAt: Date.now() + 3_600_000 })));

async function start(more = ''): Promise<void> {
  await writeFile(folder.file('access.yaml'), accessWith(forAll, more));
  twins = await Twins.start(() => ({ server: { accessFile: folder.file('access.yaml') }, clock }));
  twins.registry.addImage('team/app', image, ['1']);
  const query = { scope: 'repository:registry.test/team/app:pull' };
  const response = await twins.hot.request.get('/token').query(query).set('authorization', basic('anna'));
  token = `Bearer ${(response.body as { token: string }).token}`;
  // Both mirrors have one key, and count the same requests.
  await twins.framework.request.get('/token').query(query).set('authorization', basic('anna'));
  for (let time = 0; time < 3; time += 1) await twins.expectSame(get(token));
}

/** @returns how many of the responses came before the framework */
async function countOf(...requests: string[]): Promise<number> {
  const before = twins.count;
  for (const bytes of requests) await twins.expectSame(bytes);
  return twins.count - before;
}

beforeEach(async () => {
  folder = await Folder.make();
  clock = new MovingClock();
  await writeFile(folder.file('users'), `anna:${hash}\nbert:${hash}\n`);
  await writeFile(folder.file('robots'), robots('ci'));
  await writeFile(folder.file('keys'), makeSigningKey());
});
afterEach(async () => {
  await twins[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

describe('a response before the framework, with an access file', () => {
  it('is for whoever may pull, and for nobody else', async () => {
    await start();
    await twins.expectSame(get(basic('anna')));
    expect(await countOf(get(token), get(basic('anna')), get(basic('robot+ci')))).toBe(3);
    const wrong = [
      undefined,
      `${token}x`,
      token.replace('Bearer', 'Basic'),
      'Bearer',
      basic('anna', 'wrong'),
      basic('anna', ''),
      basic('bert'),
      basic('robot+ci', 'wrong'),
      basic('robot+other'),
      basic('', ''),
    ];
    expect(await countOf(...wrong.map((each) => get(each)))).toBe(0);
    expect(await countOf(get(token, `authorization: ${token}\r\n`))).toBe(0);
    expect(await twins.expectSame(get(basic('bert')))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await countOf(get(token), get(basic('anna')))).toBe(2);
    await twins.expectSameRecords();
  });

  it.each([
    ['the rule', () => rewrite('access.yaml', accessWith(forAll.replace("'user:anna', ", ''))), 403],
    ['the user', () => rewrite('users', `bert:${hash}\n`), 401],
    ['the key', () => rewrite('keys', makeSigningKey()), 401],
  ] as const)('is refused from the moment at which %s has gone', async (_, change, status) => {
    await start();
    expect(await countOf(get(token))).toBe(1);
    await change();
    expect(await countOf(get(token))).toBe(0);
    expect(await twins.expectSame(get(token))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('is refused to a robot that has gone or expired, and to a password that has changed', async () => {
    await start();
    const [ci, anna] = [get(basic('robot+ci')), get(basic('anna'))];
    for (let time = 0; time < 2; time += 1) await countOf(ci, anna);
    expect(await countOf(ci, anna)).toBe(2);
    await rewrite('users', `anna:${await bcrypt('another', 4)}\n`);
    expect(await twins.expectSame(anna)).toMatch(/^HTTP\/1\.1 401 /);
    clock.pass(3_700);
    expect(await twins.expectSame(ci)).toMatch(/^HTTP\/1\.1 401 /);
    await rewrite('robots', robots('other'));
    expect(await twins.expectSame(ci)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('is refused at the end of a token', async () => {
    await start();
    clock.pass(290);
    expect(await countOf(get(token))).toBe(1);
    clock.pass(20);
    expect(await countOf(get(token))).toBe(0);
    expect(await twins.expectSame(get(token))).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('counts for limits, which refuse the next request', async () => {
    await start("limits:\n  - { who: ['user:anna'], pulls: 8/1h, bytes: 100kB/1h }\n");
    const said = await twins.expectSame(get(token));
    expect(said).toMatch(/^ratelimit-remaining: 4;w=3600\r$/m);
    expect(await countOf(...Array.from({ length: 6 }, () => get(token, 'x-forwarded-for: 192.0.2.7\r\n')))).toBe(4);
    expect(await twins.expectSame(get(token))).toMatch(/^HTTP\/1\.1 429 /);
    await twins.expectSameRecords();
  });

  it('is in the audit log', async () => {
    await writeFile(folder.file('audit'), '');
    await start(`audit_log: ${folder.file('audit')}\n`);
    await twins.expectSame(get(token, 'x-forwarded-for: 192.0.2.7\r\n'));
    expect(await countOf(get(token, 'x-forwarded-for: 192.0.2.7\r\n'))).toBe(1);
    await expect.poll(() => linesOfAudit().filter((line) => line.includes('"address":"192.0.2.7"')).length).toBe(4);
    const lines = linesOfAudit().filter((line) => line.includes('"address":"192.0.2.7"'));
    expect(new Set(lines.map((line) => line.replace(/"time":"[^"]*"/, '')))).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ subject: 'user:anna', action: 'pull', reference: '1', rule: 0 });
  });
});

function linesOfAudit(): string[] {
  return readFileSync(folder.file('audit'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"pull"'));
}
