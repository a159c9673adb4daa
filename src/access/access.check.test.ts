import { createServer } from 'node:https';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeDirectory } from '../../test/fakes/ldap-directory.js';
import { makeCertificate } from '../../test/fixtures/certificate.js';
import { readAccess } from '../config/access/access-file.js';
import { ServerSettings } from '../config/server.settings.js';
import { checkAccess } from './access.check.js';
import { formatRobots, hashOfSecret } from './authenticators/robots.js';
import { makeSigningKey } from './tokens/signing.keys.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-registry-check-'));
});
afterEach(() => rm(folder, { recursive: true }));

const hash = '$2y$10$vPxXqRYFkcmEVaqUKTMYLeDHSIDzBWWCkJhAHbTmhFHL1E0zVzP9O';
const rules = "rules: [{ repositories: ['**'], who: [anonymous], may: [pull] }]\n";

async function check(yaml: string, server: Partial<ServerSettings> = {}): Promise<string[]> {
  const settings = { access: readAccess(yaml + rules), server: Object.assign(new ServerSettings(), server) };
  const lines: string[] = [];
  for await (const { name, status, detail } of checkAccess(settings)) lines.push(`${status} ${name}: ${detail}`);
  return lines;
}
const write = async (name: string, text: string) => {
  await writeFile(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

it('doctor counts what the files of access have, and warns of what ends', async () => {
  const users = await write('users', `anna:${hash}\nbert:${hash}\n`);
  const past = { name: 'old', hash: hashOfSecret('x'), expiresAt: 1 };
  const ending = { name: 'ci', hash: hashOfSecret('x'), expiresAt: Date.now() + 86_400_000 };
  const robots = await write('robots', formatRobots([past, ending, { name: 'cd', hash: hashOfSecret('y') }]));
  const key = await write('key', makeSigningKey());
  const ca = await write('ca', makeCertificate([], [-1, 90]).cert);
  const yaml = `users_file: ${users}\nrobots_file: ${robots}\ntoken_key_file: ${key}\nclient_certificates: { ca_file: ${ca} }\n`;
  const lines = await check(yaml, { tlsCert: 'x', tlsKey: 'y' });
  expect(lines).toEqual([
    `ok access: users: 2 in ${users}`,
    `warn access: robots: 3 in ${robots}; 1 have expired, 1 expire within 14 days`,
    `ok access: token key: 1 in ${key}`,
    expect.stringMatching(/^ok access: client CA: 1 in .*, valid until 20/),
  ]);
  await chmod(key, 0o644);
  expect((await check(yaml)).slice(2)).toEqual([
    expect.stringMatching(/^warn access: token key: .*every user of this machine can read$/),
    expect.stringMatching(/^warn access: client CA: .*without --tls-cert$/),
  ]);
});

it('doctor says which file of access has which mistake, and nothing of its content', async () => {
  const planted = await write('planted', 'planted-secret:planted-secret\n');
  const expired = await write('expired', makeCertificate([], [-3, -1]).cert);
  const lines = await check(
    `users_file: ${planted}\nrobots_file: ${folder}/nowhere\ntoken_key_file: ${planted}\nclient_certificates: { ca_file: ${expired} }
issuers:
  - { issuer: 'https://a.example', audience: a, identity: 'k:{sub}', jwks_file: ${planted} }
`,
  );
  expect(lines).toEqual([
    `fail access: users: ${planted}: line 1 has no bcrypt hash of cost 4 to 14: htpasswd -B makes them`,
    `fail access: robots: ${folder}/nowhere: ENOENT`,
    `fail access: token key: ${planted}: has no private key in PEM (PKCS #8)`,
    expect.stringMatching(/^fail access: client CA: /),
    `fail access: issuer https://a.example: ${planted}: is not valid`,
  ]);
  expect(lines.join('\n')).not.toContain('planted-secret');
});

it('doctor asks issuers for their keys as a token would', async () => {
  const pair = makeCertificate();
  let names = (origin: string) => origin;
  const server = createServer(pair, (request, response) => {
    const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
    const document = { issuer: names(origin), jwks_uri: `${origin}/keys` };
    response.end(JSON.stringify(request.url === '/keys' ? { keys: [{}, {}] } : document));
  });
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
    const entry = (more: string) => `issuers: [{ issuer: '${issuer}', audience: a, identity: 'k:{sub}'${more} }]\n`;
    const trusted = entry(`, ca_file: ${await write('ca', pair.cert)}`);
    expect(await check(trusted)).toEqual([`ok access: issuer ${issuer}: sends 2 keys`]);
    expect((await check(entry('')))[0]).toMatch(/^fail access: issuer .*self-signed certificate/);
    names = () => 'https://evil.example.com';
    expect((await check(trusted))[0]).toContain('names another issuer');
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(
    (await check(`issuers: [{ issuer: 'https://127.0.0.1:1', audience: a, identity: 'k:{sub}' }]\n`))[0],
  ).toContain('ECONNREFUSED');
});

it('doctor does what a sign-in at the directory does, without a user', async () => {
  const base = 'ou=people,dc=test';
  const account = { dn: 'cn=registry,dc=test', password: 'planted' };
  await using directory = await FakeDirectory.start([account, { dn: base }]);
  const name = `access: LDAP ldap://${directory.host}`;
  const section = (keys: string) => `ldap: { url: 'ldap://${directory.host}', ${keys} }\n`;
  const bySearch = async (password: string, searchBase = base) => {
    const file = await write('password', password);
    const keys = `bind_dn: '${account.dn}', bind_password_file: ${file}, search_base: '${searchBase}', user_filter: '(uid={user})'`;
    return check(section(keys));
  };
  expect(await bySearch('planted\n')).toEqual([`ok ${name}: accepts bind_dn, and has search_base`]);
  await chmod(join(folder, 'password'), 0o644);
  expect(await bySearch('planted\n')).toEqual([
    expect.stringMatching(/^warn .*; its password is in .*password, which every user of this machine can read$/),
  ]);
  await chmod(join(folder, 'password'), 0o600);
  expect(await bySearch('wrong')).toEqual([`fail ${name}: does not accept bind_dn and its password`]);
  expect(await bySearch('planted', 'ou=nobody,dc=test')).toEqual([
    `fail ${name}: has no entry that search_base names, or does not show it`,
  ]);
  expect(await bySearch('')).toEqual([expect.stringMatching(/^fail .*password: is not one line with a password$/)]);
  const byDn = section("user_dn: 'uid={user},dc=test'");
  expect(await check(byDn)).toEqual([`ok ${name}: accepts connections; passwords were not tried`]);
  await directory.goDown();
  expect(await check(byDn)).toEqual([`fail ${name}: ECONNREFUSED`]);
});
