import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { ImageLayout, OCI } from './support/image-layout.js';
import { hostArchitecture } from './support/images.js';
import { startPrivateServer, type PrivateServer } from './support/private-server.js';
import { homeOf, pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { signIn, signOut } from './support/sign-in.js';
import { Slapd } from './support/slapd.js';

/** A name that is syntax in filters and in DNs. */
const awkward = 'b, (c*)+d=e #1';
const passwords = { anna: 'anna-secret', [awkward]: 'awkward-secret', carl: 'carl-secret' };

const byDn = `user_dn: 'uid={user},${Slapd.people}', group_base: '${Slapd.groups}'`;
const bySearch = `bind_dn: '${Slapd.administrator.dn}', search_base: '${Slapd.people}', user_filter: '(&(objectClass=inetOrgPerson)(uid={user}))', group_base: '${Slapd.groups}', group_filter: '(member={dn})'`;

/** Against OpenLDAP: what this program sends and reads is right not only to itself. */
describe.each([
  ['ldaps, by DN, groups by memberOf', 'tls', byDn],
  ['StartTLS, by a search, groups by another', 'plain', bySearch],
] as const)('users of OpenLDAP: %s', (_, port, keys) => {
  let scratch: Scratch;
  let priv: PrivateServer;
  let layout: string;

  beforeAll(async () => {
    scratch = await Scratch.open();
    const slapd = await Slapd.start(scratch, passwords, { team: ['anna', awkward], others: ['carl'] });
    await writeFile(scratch.file('password'), Slapd.administrator.password);
    const url = `${port === 'tls' ? 'ldaps' : 'ldap'}://127.0.0.1:${slapd.ports[port]}`;
    const more = port === 'tls' ? '' : `start_tls: true, bind_password_file: ${scratch.file('password')}, `;
    const ldap = `ldap: { url: '${url}', ca_file: ${slapd.caFile}, ${more}${keys} }`;
    priv = await startPrivateServer(scratch, ['member'], { keys: ldap });
    layout = scratch.file('layout');
    const image = new ImageLayout(layout, ['/none']);
    const layers = [await image.layer([{ path: 'file', content: Buffer.from('x') }])];
    await image.ociSource('it', await image.image(OCI, hostArchitecture, layers));
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  test('sign in, push and pull what their groups may, and nothing else', async () => {
    const { server } = priv;
    onTestFailed(async () => console.error(await server.logTail()));
    const environment = await homeOf(scratch);
    const clients = await pushingClients(scratch);
    for (const username of ['anna', awkward] as const) {
      await signIn('crane', server.address, { username, password: passwords[username] }, environment);
      await clients.crane!.push(layout, server.name('team/app:1'));
      await clients.crane!.pull(server.name('team/app:1'));
      await expect(clients.crane!.push(layout, server.name('others/app:1'))).rejects.toThrow(
        /denied|forbidden|may not/i,
      );
      await signOut('crane', server.address, environment);
    }
    await signIn('crane', server.address, { username: 'carl', password: passwords.carl }, environment);
    await expect(clients.crane!.pull(server.name('team/app:1'))).rejects.toThrow(/denied|forbidden|may not/i);
    await signOut('crane', server.address, environment);
  });

  test.each([
    ['anna', 'wrong'],
    ['nobody', 'anna-secret'],
    ['*', 'anna-secret'],
    ['anna)(uid=*', 'anna-secret'],
    [`anna,${Slapd.people}`, 'anna-secret'],
  ])('do not sign in as %s with %s', async (username, password) => {
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const response = await fetch(`http://${priv.server.address}/v2/`, { headers: { authorization } });
    expect(response.status).toBe(401);
  });
});
