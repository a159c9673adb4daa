import { hash as bcrypt } from 'bcryptjs';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAccess } from '../../config/access/access-file.js';
import { Secret } from '../../config/values/secret.js';
import { Clock } from '../../config/clock/clock.js';
import { AccessStatistics } from '../access.statistics.js';
import { Authenticator } from './authenticator.js';
import { formatRobots, hashOfSecret, makeRobotSecret } from './robots.js';

let folder: string;
let time: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-registry-access-'));
  time = Date.now();
});
afterEach(() => rm(folder, { recursive: true }));

/** More than a second passes, also since files were written: a file that is being written does not count. */
const later = () => (time = Math.max(time, Date.now()) + 1_001);

/** Writes a file at the time of the test's clock. */
async function rewrite(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text);
  await utimes(join(folder, name), time / 1000, time / 1000);
}

class TestClock extends Clock {
  now = () => time;
  monotonic = () => time;
}
const context = { clock: new TestClock(), statistics: new AccessStatistics() };
const password = (username: string, text: string) => ({
  kind: 'password' as const,
  username,
  password: new Secret(text),
});
const rules = "rules: [{ repositories: ['**'], who: [anonymous], may: [pull] }]\n";

async function withUsers(lines: string, more = ''): Promise<Authenticator> {
  await writeFile(join(folder, 'htpasswd'), lines);
  const yaml = `users_file: ${folder}/htpasswd\nrobots_file: ${folder}/robots\ngroups: { team: [anna] }\n${more}${rules}`;
  await writeFile(join(folder, 'robots'), '');
  const authenticator = new Authenticator(readAccess(yaml), context);
  await authenticator.load();
  return authenticator;
}
const line = async (name: string, text: string) => `${name}:${await bcrypt(text, 4)}\n`;

describe('a user of an htpasswd file', () => {
  it('signs in with the password, and not with another one, nor as another one', async () => {
    const authenticator = await withUsers((await line('anna', 'pass:word')) + (await line('bert', 'x')));
    expect(await authenticator.signIn(password('anna', 'pass:word'), 'a')).toEqual({
      identity: { subject: 'user:anna', groups: ['team'], claims: {} },
      issuer: 'htpasswd',
    });
    for (const [name, text] of [
      ['anna', 'x'],
      ['bert', 'pass:word'],
      ['nobody', 'x'],
      ['anna', ''],
      ['', 'x'],
    ] as const)
      await expect(authenticator.signIn(password(name, text), 'b')).rejects.toMatchObject({ reason: 'credentials' });
  });

  it('is gone a second after the file lost the line, through a replaced symbolic link too', async () => {
    await writeFile(join(folder, 'one'), await line('anna', 'x'));
    await writeFile(join(folder, 'two'), await line('bert', 'y'));
    await symlink(join(folder, 'one'), join(folder, 'link'));
    const authenticator = new Authenticator(readAccess(`users_file: ${folder}/link\n${rules}`), context);
    await authenticator.load();
    const { identity } = await authenticator.signIn(password('anna', 'x'), 'a');
    await symlink(join(folder, 'two'), join(folder, 'link2'));
    await rename(join(folder, 'link2'), join(folder, 'link'));
    later();
    await expect(authenticator.signIn(password('anna', 'x'), 'a')).rejects.toMatchObject({ reason: 'credentials' });
    expect(authenticator.refresh(identity, '')).toBeUndefined();
  });

  it('is not locked out by a file that has been emptied', async () => {
    const authenticator = await withUsers(await line('anna', 'x'));
    await writeFile(join(folder, 'htpasswd'), '');
    later();
    expect(await authenticator.signIn(password('anna', 'x'), 'a')).toMatchObject({ issuer: 'htpasswd' });
  });

  it('is removed by a file that stays empty for five seconds', async () => {
    const authenticator = await withUsers(await line('anna', 'x'));
    await authenticator.signIn(password('anna', 'x'), 'a');
    await rewrite('htpasswd', '');
    for (let second = 0; second < 5; second += 1) {
      time += 1_000;
      await authenticator.signIn(password('anna', 'x'), 'a');
    }
    later();
    await expect(authenticator.signIn(password('anna', 'x'), 'a')).rejects.toMatchObject({ reason: 'credentials' });
    await rewrite('htpasswd', await line('bert', 'y'));
    later();
    await authenticator.signIn(password('bert', 'y'), 'a');
    // Once more: it counts the seconds anew.
    await rewrite('htpasswd', '');
    later();
    await authenticator.signIn(password('bert', 'y'), 'a');
  });

  it('is removed by a file of comments at once', async () => {
    const authenticator = await withUsers(await line('anna', 'x'));
    await writeFile(join(folder, 'htpasswd'), '# nobody\n');
    later();
    await expect(authenticator.signIn(password('anna', 'x'), 'a')).rejects.toMatchObject({ reason: 'credentials' });
  });

  it('need not be there at the start', async () => {
    const authenticator = await withUsers('');
    await expect(authenticator.signIn(password('anna', 'x'), 'a')).rejects.toMatchObject({ reason: 'credentials' });
  });

  it('keeps the password that a file with a mistake does not say', async () => {
    const authenticator = await withUsers(await line('anna', 'x'));
    await writeFile(join(folder, 'htpasswd'), 'anna:{SHA}planted\n');
    later();
    expect(await authenticator.signIn(password('anna', 'x'), 'a')).toMatchObject({ issuer: 'htpasswd' });
  });

  it('with a new password does not sign in with the old one, remembered or not', async () => {
    const authenticator = await withUsers(await line('anna', 'old'));
    await authenticator.signIn(password('anna', 'old'), 'a');
    await writeFile(join(folder, 'htpasswd'), await line('anna', 'new'));
    later();
    await expect(authenticator.signIn(password('anna', 'old'), 'a')).rejects.toMatchObject({ reason: 'credentials' });
    await authenticator.signIn(password('anna', 'new'), 'a');
  });

  it('has to wait after wrong passwords, which nobody else has to', async () => {
    const authenticator = await withUsers(await line('anna', 'x'));
    for (let count = 0; count < 5; count += 1)
      await expect(authenticator.signIn(password('anna', 'y'), 'bad')).rejects.toMatchObject({ reason: 'credentials' });
    await expect(authenticator.signIn(password('anna', 'x'), 'bad')).rejects.toMatchObject({
      reason: 'busy',
      retryAfter: 1,
    });
    await authenticator.signIn(password('anna', 'x'), 'good');
    later();
    await authenticator.signIn(password('anna', 'x'), 'bad');
  });
});

describe('with unknown credentials as none', () => {
  const lenient = 'unknown_credentials: anonymous\n';
  const isNone = { reason: 'credentials' };

  it('names that are not known are no failures, robots and users alike', async () => {
    const authenticator = await withUsers(await line('anna', 'x'), lenient);
    for (let count = 0; count < 60; count += 1)
      for (const name of ['hub', `hub-${count}`, 'robot+hub'])
        await expect(authenticator.signIn(password(name, 'y'), 'nat')).rejects.toMatchObject(isNone);
    expect(await authenticator.signIn(password('anna', 'x'), 'nat')).toMatchObject({ issuer: 'htpasswd' });
  });

  it('wrong passwords of a user and a robot count, and whoever has to wait is nobody', async () => {
    const authenticator = await withUsers(await line('anna', 'x'), lenient);
    const robot = { name: 'ci', hash: hashOfSecret(makeRobotSecret()) };
    await writeFile(join(folder, 'robots'), formatRobots([robot]));
    later();
    for (let count = 0; count < 8; count += 1)
      for (const name of ['anna', 'robot+ci'])
        await expect(authenticator.signIn(password(name, 'y'), 'bad')).rejects.toMatchObject(isNone);
    await expect(authenticator.signIn(password('anna', 'x'), 'bad')).rejects.toMatchObject(isNone);
    await authenticator.signIn(password('anna', 'x'), 'good');
    later();
    await authenticator.signIn(password('anna', 'x'), 'bad');
  });
});

describe('a robot', () => {
  it('signs in until it expires or is removed', async () => {
    const secret = makeRobotSecret();
    const authenticator = await withUsers(await line('anna', 'x'));
    const robot = { name: 'ci', hash: hashOfSecret(secret), expiresAt: time + 60_000 };
    await writeFile(join(folder, 'robots'), formatRobots([robot]));
    later();
    const { identity } = await authenticator.signIn(password('robot+ci', secret), 'a');
    expect(identity.subject).toBe('robot:ci');
    expect(authenticator.refresh(identity, '')).toBe(identity);
    for (const [name, text] of [
      ['robot+ci', `${secret}x`],
      ['robot+cd', secret],
      ['ci', secret],
    ] as const)
      await expect(authenticator.signIn(password(name, text), 'b')).rejects.toMatchObject({ reason: 'credentials' });
    time += 60_000;
    await expect(authenticator.signIn(password('robot+ci', secret), 'a')).rejects.toMatchObject({
      reason: 'credentials',
    });
    expect(authenticator.refresh(identity, '')).toBeUndefined();
  });
});

describe('a token of an issuer', () => {
  const issuer = 'https://token.actions.githubusercontent.com';
  async function setUp() {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    await writeFile(
      join(folder, 'jwks.json'),
      JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256' }] }),
    );
    const yaml = `issuers:
  - issuer: ${issuer}
    audience: registry.example.com
    identity: 'github:{repository}'
    claims: { repository_owner_id: ['1234'], ref: ['refs/heads/*'] }
    jwks_file: ${folder}/jwks.json
${rules}`;
    const authenticator = new Authenticator(readAccess(yaml), context);
    const claims = {
      iss: issuer,
      sub: 'repo:acme/app:ref:refs/heads/main',
      aud: 'registry.example.com',
      exp: Math.floor(time / 1000) + 300,
      repository: 'acme/app',
      repository_owner_id: '1234',
      ref: 'refs/heads/main',
    };
    const make = (changes: object = {}) =>
      new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'RS256', kid: 'k' }).sign(privateKey);
    return { authenticator, make };
  }

  it('signs in as a password and as Bearer', async () => {
    const { authenticator, make } = await setUp();
    const expected = { identity: { subject: 'github:acme/app', claims: { repository: 'acme/app' } }, issuer };
    expect(await authenticator.signIn(password('anything', await make()), 'a')).toMatchObject(expected);
    expect(await authenticator.signInByToken(await make())).toMatchObject(expected);
  });

  it.each([
    ['another audience', { aud: 'https://github.com/acme' }, 'credentials'],
    ['no audience', { aud: undefined }, 'credentials'],
    ['another owner', { repository_owner_id: '12345' }, 'credentials'],
    ['another ref', { ref: 'refs/tags/v1' }, 'credentials'],
    ['no repository', { repository: undefined }, 'credentials'],
    ['an empty repository', { repository: '' }, 'credentials'],
    ['a list for a repository', { repository: ['acme/app'] }, 'credentials'],
    ['no expiry', { exp: undefined }, 'credentials'],
    ['an expiry in the past', { exp: 1 }, 'expired'],
    ['a beginning in the future', { nbf: 9_999_999_999 }, 'credentials'],
    ['another issuer', { iss: 'https://evil.example.com' }, 'credentials'],
    ['an issuer that begins the same', { iss: `${issuer}.evil.example.com` }, 'credentials'],
  ])('with %s is refused', async (_, changes, reason) => {
    const { authenticator, make } = await setUp();
    await expect(authenticator.signInByToken(await make(changes))).rejects.toMatchObject({ reason });
  });
});
