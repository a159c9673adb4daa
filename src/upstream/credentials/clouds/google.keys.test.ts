import { rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { planted } from '../../../../test/fakes/clouds/clocked-cloud.js';
import { GoogleMachine, signal } from '../../../../test/fakes/clouds/google-machine.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';
import { GoogleFile } from './google.file.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const machine = new GoogleMachine();
const cloudPlatform = 'https://www.googleapis.com/auth/cloud-platform';

describe('credentials for a service account key of Google', () => {
  it('are the access token for a signed assertion', async () => {
    const file = await machine.fileOf(machine.cloud.keyFile());
    const credentials = await machine.sourceOf({ file }).fetch(signal());
    expect(credentials.password.reveal()).toBe(machine.cloud.lastToken);
    expect(credentials.identity).toBe(`service account ${machine.cloud.email}`);
    expect(credentials.expiresAt).toBe(machine.clock.now() + 3_599_000);
    expect(machine.paths).toEqual(['/token']);
  });

  it('are those of GOOGLE_APPLICATION_CREDENTIALS', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', await machine.fileOf(machine.cloud.keyFile()));
    await machine.sourceOf({ scopes: [cloudPlatform] }).fetch(signal());
    expect(machine.paths).toEqual(['/token']);
  });

  it.each([
    ['another key', () => ({ private_key_id: 'other' }), /invalid_grant.*check that the key is enabled/],
    [
      'a host of nobody',
      () => ({ token_uri: 'https://evil.example/token' }),
      /token_uri of .*evil\.example.*token_hosts/,
    ],
    ['a host with a known end', () => ({ token_uri: 'https://evilgoogleapis.com/' }), /token_uri .*token_hosts/],
    ['plain http', () => ({ token_uri: 'http://oauth2.googleapis.com/token' }), /no https URL of Google/],
    ['another port', () => ({ token_uri: 'https://oauth2.googleapis.com:8443/token' }), /no https URL of Google/],
    ['a file as URL', () => ({ token_uri: 'file:///etc/passwd' }), /must be an http or https URL/],
    [
      'credentials in the URL',
      () => ({ token_uri: `https://a:${planted}@oauth2.googleapis.com/` }),
      /without credentials/,
    ],
    ['no key', () => ({ private_key: undefined }), /private_key is missing in/],
    ['a broken key', () => ({ private_key: `-----BEGIN PRIVATE KEY-----\n${planted}\n` }), /no private key in PEM/],
    ['an email of two lines', () => ({ client_email: `${planted}\nx` }), /client_email of .* must be short text/],
    ['an endless email', () => ({ client_email: 'x'.repeat(600) }), /client_email of .* must be short text/],
    ['a number for text', () => ({ client_email: 5 }), /client_email of .* must be text/],
    ['another type', () => ({ type: 'impersonated_service_account' }), /type of .* must be service_account/],
  ])('are none with %s', async (_, changes, message) => {
    const file = await machine.fileOf(machine.cloud.keyFile(changes()));
    expect((await failureOf(machine.sourceOf({ file }))).message).toMatch(message);
  });

  it('may be asked for at each host of Google', async () => {
    const hosts = ['https://oauth2.googleapis.com/token', 'https://accounts.google.com/o/oauth2/token'];
    for (const uri of hosts) {
      const file = await GoogleFile.read(await machine.fileOf(machine.cloud.keyFile({ token_uri: uri })));
      expect(file.endpoint('token_uri', undefined, []).href).toBe(uri);
    }
  });

  it.each([
    ['', 'is no JSON object'],
    [`{"${planted}`, 'is no JSON object'],
    ['[]', 'is no JSON object'],
    [' '.repeat(200_000), 'is larger than'],
  ])('are none for a file %#', async (text, message) => {
    expect((await failureOf(machine.sourceOf({ file: await machine.fileOf(text) }))).message).toContain(message);
  });

  it('are none without the file', async () => {
    const file = join(machine.folder, 'absent.json');
    expect((await failureOf(machine.sourceOf({ file }))).message).toBe(
      `the credentials file ${file} cannot be read: ENOENT: no such file or directory`,
    );
    await expect(machine.sourceOf({ file }).mark()).rejects.toThrow('ENOENT');
  });

  it('say how far the clocks differ', async () => {
    machine.cloud.skew = -7200;
    const { message } = await failureOf(machine.sourceOf({ file: await machine.fileOf(machine.cloud.keyFile()) }));
    expect(message).toContain(`the clock of this machine is 7200 s ahead of that of ${machine.cloud.host}: correct it`);
  });

  it('survive no lie', async () =>
    expectFailures(machine.sourceOf({ file: await machine.fileOf(machine.cloud.keyFile()) }), machine.cloud, '/token'));

  it('follow the file, as a mounted secret changes it', async () => {
    await machine.fileOf('{}', 'old.json');
    await machine.fileOf(machine.cloud.keyFile(), 'new.json');
    const file = join(machine.folder, 'link.json');
    await symlink('old.json', file);
    const source = machine.sourceOf({ file });
    const before = await source.mark();
    expect(await source.mark()).toBe(before);
    expect((await failureOf(source)).message).toContain('type is missing in');
    await symlink('new.json', join(machine.folder, 'next'));
    await rename(join(machine.folder, 'next'), file);
    expect(await source.mark()).not.toBe(before);
    await source.fetch(signal());
  });
});

describe('credentials for the sign-in of a user at Google', () => {
  it('are the access token for the refresh token', async () => {
    const file = await machine.fileOf(machine.cloud.userFile());
    expect((await machine.sourceOf({ file }).fetch(signal())).identity).toBe('user anna@example.com');
    expect(machine.lastForm.grant_type).toBe('refresh_token');
  });

  it('end with the refresh token', async () => {
    const file = await machine.fileOf(machine.cloud.userFile({ refresh_token: `${planted}-revoked` }));
    expect((await failureOf(machine.sourceOf({ file }))).message).toBe(
      `the token request for the user of ${file} failed: ${machine.cloud.host} responded with 400 (invalid_grant); sign in again with gcloud auth application-default login`,
    );
  });
});
