import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Folder } from '../../../../test/e2e/support/folder.js';
import { RegistryClientSettings } from '../../../config/registry-client.settings.js';
import { authorizationFor } from './credentials.js';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const auth = { auth: Buffer.from('anna:planted-secret').toString('base64') };

let folder: Folder;
beforeEach(async () => {
  folder = await Folder.make();
  vi.stubEnv('DOCKER_CONFIG', folder.path).stubEnv('REGISTRY_AUTH_FILE', '').stubEnv('DOCKER_AUTH_CONFIG', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await folder[Symbol.asyncDispose]();
});

/** The header for a server, with a config.json. */
async function headerWith(config: unknown, server = 'https://host.test/path'): Promise<string | undefined> {
  await writeFile(folder.file('config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return authorizationFor(Object.assign(new RegistryClientSettings(), { server }));
}

describe('what docker login has stored', () => {
  it.each(['host.test', 'https://host.test', 'https://host.test/v1/', 'http://host.test/', 'Host.test:443'])(
    'is found by the key %s',
    async (key) => {
      expect(await headerWith({ auths: { [key]: auth } })).toBe(basic('anna:planted-secret'));
    },
  );

  it('may be a user and a password, or a legacy .dockercfg', async () => {
    const entry = { username: 'anna', password: 'planted-secret' };
    expect(await headerWith({ auths: { 'host.test': entry } })).toBe(basic('anna:planted-secret'));
    expect(await headerWith({ 'https://host.test': auth })).toBe(basic('anna:planted-secret'));
  });

  it('is looked for in REGISTRY_AUTH_FILE alone, and else in DOCKER_AUTH_CONFIG first', async () => {
    const other = { auth: Buffer.from('bert:planted-secret').toString('base64') };
    vi.stubEnv('DOCKER_AUTH_CONFIG', JSON.stringify({ auths: { 'host.test': other } }));
    expect(await headerWith({ auths: { 'host.test': auth } })).toBe(basic('bert:planted-secret'));
    vi.stubEnv('REGISTRY_AUTH_FILE', folder.file('auth.json'));
    expect(await headerWith({ auths: { 'host.test': auth } })).toBeUndefined();
    await writeFile(folder.file('auth.json'), JSON.stringify({ auths: { 'host.test': auth } }));
    expect(await headerWith({})).toBe(basic('anna:planted-secret'));
  });

  it.each([
    ['nothing', ''],
    ['another registry', { auths: { 'other.test': auth }, credHelpers: { 'other.test': 'x' } }],
    ['a store of all registries', { credsStore: 'desktop', auths: { 'other.test': {} } }],
  ])('is nothing for a server when there is %s', async (_, config) => {
    expect(await headerWith(config)).toBeUndefined();
  });

  it.each([
    [
      'in a helper',
      { credHelpers: { 'host.test': 'x' } },
      /^the password for host.test is in a credential helper: give/,
    ],
    ['in the store', { credsStore: 'x', auths: { 'host.test': {} } }, /is in a credential helper: give --username/],
    [
      'an identity token',
      { auths: { 'host.test': { identitytoken: 'planted-secret' } } },
      /is an identity token: give/,
    ],
    ['not JSON', 'planted-secret', /^the credentials of docker login cannot be used: \/.*config.json is not JSON$/],
    [
      'a bad entry',
      { auths: { 'host.test': { auth: 'planted-secret' } } },
      /config.json has an entry whose auth is not/,
    ],
  ])('is an error without any of it when it is %s', async (_, config, message) => {
    const error: unknown = await headerWith(config).catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('planted-secret');
    expect((error as Error).message).toMatch(message);
  });
});
