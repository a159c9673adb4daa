import { writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { encode } from '../../../src/access/ldap/ber.js';
import { encodeMessage } from '../../../src/access/ldap/messages.js';
import { FakeDirectory, result, searchEntry, type DirectoryEntry } from '../../fakes/ldap-directory.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';

const people = 'ou=people,dc=test';
const groups = 'ou=groups,dc=test';
const anna: DirectoryEntry = {
  dn: `uid=anna,${people}`,
  password: 'secret',
  attributes: { uid: ['Anna'], memberOf: [`cn=team,${groups}`] },
};
const carl: DirectoryEntry = { dn: `uid=carl,${people}`, password: 'secret', attributes: { uid: ['carl'] } };
const service = 'cn=registry,ou=services,dc=test';
const entries: readonly DirectoryEntry[] = [
  { dn: people },
  { dn: groups },
  { dn: service, password: 'service' },
  anna,
  carl,
  { dn: `cn=mine,${groups}`, attributes: { cn: ['mine', 'team'], member: [anna.dn], memberUid: ['Anna'] } },
];
const byDn = `user_dn: 'uid={user},${people}'`;
const bySearch = `search_base: '${people}', user_filter: '(&(objectClass=*)(uid={user}))'`;
const asService = `${bySearch}, bind_dn: '${service}', bind_password_file: FOLDER/password`;
const byFilter = (filter = '(member={dn})') => `group_base: '${groups}', group_filter: '${filter}'`;
const searchDone = 0x65;

const scenes: AsyncDisposable[] = [];
afterEach(async () => {
  for (const scene of scenes.splice(0).reverse()) await scene[Symbol.asyncDispose]();
});

async function setUp(ldap: string) {
  const folder = await Folder.make();
  const directory = await FakeDirectory.start(entries);
  await writeFile(folder.file('password'), 'service\n');
  const section = `{ url: 'ldap://${directory.host}', cache: 0s, ${ldap.replaceAll('FOLDER', folder.path)} }`;
  const rules = "rules: [{ repositories: ['registry.test/**'], who: ['group:*'], may: [pull] }]";
  const mirror = await Mirror.start({ access: `ldap: ${section}\n${rules}` });
  scenes.push(folder, directory, mirror);
  /** The groups of a token, or the status of the refusal. */
  const signIn = async (user = 'anna', password = 'secret'): Promise<number | string[]> => {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const response = await mirror.request.get('/token').set('authorization', authorization);
    if (response.status !== 200) return response.status;
    const [, claims = ''] = (response.body as { token: string }).token.split('.');
    const { about } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { about: { groups: string[] } };
    return about.groups;
  };
  /** Sends something else for the searches below a base. */
  const answer = (base: string, response: (id: number, usual: Buffer) => Buffer) => {
    directory.script = ({ kind, id, dn }, usual) => (kind === 'search' && dn === base ? response(id, usual) : usual);
  };
  return { mirror, directory, signIn, answer };
}

describe('a list that may be incomplete', () => {
  it.each([
    ['has reached the size limit', 4, 401],
    ['leads elsewhere', 10, 401],
    ['has reached the time limit', 3, 503],
    ['has reached another limit', 11, 503],
  ])('of users is nobody: it %s', async (_, code, status) => {
    const { signIn, answer } = await setUp(bySearch);
    answer(people, (id) => Buffer.concat([searchEntry(id, anna), result(id, searchDone, code)]));
    expect(await signIn()).toBe(status);
  });

  it.each([4, 3, 10, 11])('of groups is a failure of the directory: result %i', async (code) => {
    const { mirror, signIn, answer } = await setUp(`${byDn}, ${byFilter()}`);
    answer(groups, (id) => Buffer.concat([searchEntry(id, { dn: `cn=mine,${groups}` }), result(id, searchDone, code)]));
    expect(await signIn()).toBe(503);
    expect(mirror.log).toContain(`a search at group_base ended with the result ${code}; its users cannot sign in`);
    answer(groups, (_, usual) => usual);
    expect(await signIn()).toEqual(['mine']);
  });
});

describe('the name of a group', () => {
  it('is in its DN, and no other value of the attribute', async () => {
    const { signIn, directory } = await setUp(`${byDn}, ${byFilter()}`);
    expect(await signIn()).toEqual(['mine']);
    directory.entries = [...entries, { dn: `cn=a+ou=b,${groups}`, attributes: { cn: ['a'], member: [anna.dn] } }];
    expect(await signIn()).toEqual(['mine']);
  });

  it('is in no attribute with an option', async () => {
    const { signIn, answer } = await setUp(byDn);
    const attributes = { 'memberOf;lang-de': ['cn=team'], 'memberOf;range=0-*': ['cn=all'] };
    answer(anna.dn, (id) => Buffer.concat([searchEntry(id, { dn: anna.dn, attributes }), result(id, searchDone, 0)]));
    expect(await signIn()).toEqual(['all']);
  });

  it('is found by the name of the user as its entry spells it', async () => {
    const { signIn, directory } = await setUp(`${asService}, ${byFilter('(memberUid={user})')}`);
    expect(await signIn('ANNA')).toEqual(['mine']);
    expect(directory.requests.at(-1)?.values).toEqual(['Anna']);
  });
});

describe('the groups in a token', () => {
  it('are as many as fit in bytes, and leave room for scopes', async () => {
    const { mirror, answer } = await setUp(byDn);
    const memberOf = Array.from({ length: 300 }, (_, index) => `cn=組織開発部門グループ第${index}`);
    const entry = { dn: anna.dn, attributes: { memberOf } };
    answer(anna.dn, (id) => Buffer.concat([searchEntry(id, entry), result(id, searchDone, 0)]));
    const scope = 'repository:registry.test/app:pull';
    const authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    const response = await mirror.request.get('/token').query({ scope }).set('authorization', authorization);
    expect(response.body).toMatchObject({ scope });
  });
});

describe('a result that only a mistake in the configuration has', () => {
  it.each([
    ['search_base', bySearch, people, 32],
    ['search_base', bySearch, people, 34],
    ['group_base', `${byDn}, ${byFilter()}`, groups, 32],
    ['group_base', `${asService}, ${byFilter()}`, groups, 50],
  ])('is 503 and one line of the log: %s %s', async (setting, ldap, base, code) => {
    const { mirror, signIn, answer } = await setUp(ldap);
    answer(base, (id) => result(id, searchDone, code));
    for (let count = 0; count < 7; count += 1) expect(await signIn()).toBe(503);
    expect(mirror.log.match(new RegExp(`${setting}.*result ${code}.*its users cannot sign in`, 'g'))).toHaveLength(1);
  });

  it('is that of a DN, unless the name cannot be in one', async () => {
    const { mirror, directory, signIn } = await setUp(byDn);
    directory.script = ({ kind, id }, usual) => (kind === 'bind' ? result(id, 0x61, 34) : usual);
    expect(await signIn('ä')).toBe(401);
    expect(mirror.log).not.toContain('its users cannot sign in');
    expect(await signIn()).toBe(503);
    expect(mirror.log).toContain('a bind ended with the result 34; its users cannot sign in');
  });

  it('is not the one that some directories send for an unknown user', async () => {
    const { mirror, directory, signIn } = await setUp(byDn);
    directory.script = ({ kind, id }, usual) => (kind === 'bind' ? result(id, 0x61, 32) : usual);
    expect(await signIn()).toBe(401);
    expect(mirror.log).not.toContain('its users cannot sign in');
  });
});

describe('what concerns one user alone', () => {
  const many = Array.from({ length: 10_001 }, (_, index) => `cn=${index}`);
  const long = Array.from({ length: 4 }, (_, index) => `cn=${index},ou=${'x'.repeat(300_000)}`);
  const own = (memberOf: string[], name = 'memberOf') => [
    (id: number) => searchEntry(id, { dn: anna.dn, attributes: { [name]: memberOf } }),
    (id: number) => result(id, searchDone, 0),
  ];
  it.each([
    ['its password must be changed', [(id: number) => result(id, searchDone, 50)], 'result 50'],
    ['it is in too many groups', own(many), 'too many groups'],
    ['its groups are too long', own(long), 'too many groups'],
    ['its groups are sent in part', own(['cn=a'], 'memberOf;range=0-0'), 'too many groups'],
  ])('is a refusal, with a line a minute: %s', async (_, responses, reason) => {
    const { mirror, signIn, answer } = await setUp(byDn);
    answer(anna.dn, (id) => Buffer.concat(responses.map((each) => each(id))));
    for (let count = 0; count < 2; count += 1) expect(await signIn()).toBe(401);
    expect(await signIn('carl')).toEqual([]);
    expect(mirror.log.match(/user:anna cannot sign in: .*/g)).toEqual([expect.stringContaining(reason)]);
    expect(mirror.log).not.toContain('its users cannot sign in');
  });

  it('is more groups than a search is for', async () => {
    const { mirror, signIn, answer } = await setUp(`${byDn}, ${byFilter()}`);
    const found = (id: number) => encodeMessage(id, encode(0x64, encode(0x04, `cn=a,${groups}`), encode(0x30)));
    answer(groups, (id) => Buffer.concat([...Array<Buffer>(1_000).fill(found(id)), result(id, searchDone, 4)]));
    expect(await signIn()).toBe(401);
    expect(mirror.log).toContain('user:anna cannot sign in: is in more than 1000 groups');
  });
});
