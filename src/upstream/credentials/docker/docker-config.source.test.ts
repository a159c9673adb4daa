import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../../../../test/e2e/support/folder.js';
import { MovingClock } from '../../../../test/e2e/support/moving-clock.js';
import { HelperPrograms } from '../../../../test/fakes/helper-programs.js';
import { configPlaces, type ConfigPlace } from '../../../config/credentials/docker/config.places.js';
import { DockerConfigSettings } from '../../../config/credentials/docker-config.settings.js';
import { CredentialError } from '../credential.source.js';
import { DockerConfigSource } from './docker-config.source.js';

const secret = 'planted-secret-of-the-file';
const never = new AbortController().signal;
const auth = (user: string) => ({ auth: Buffer.from(`${user}:${secret}`).toString('base64') });
const authsOf = (user: string, key = 'host.test') => JSON.stringify({ auths: { [key]: auth(user) } });

function sourceOf(places: readonly ConfigPlace[] | string, host = 'host.test', clock = new MovingClock()) {
  const settings = new DockerConfigSettings();
  if (typeof places === 'string') settings.file = places;
  const context = {
    host,
    base: new URL(`https://${host}`),
    certificateAuthorities: undefined,
    acceptInvalidCerts: false,
    clock,
  };
  return new DockerConfigSource(settings, context, typeof places === 'string' ? undefined : [...places]);
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredentialError);
  expect((error as Error).stack).not.toContain(secret);
  return (error as Error).message;
}

let folder: Folder;
let programs: HelperPrograms;
beforeAll(async () => {
  folder = await Folder.make();
  programs = await HelperPrograms.make();
});
afterAll(async () => {
  await programs[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Replaces a file as programs do that write it in one step. */
async function put(name: string, text: string): Promise<string> {
  const path = folder.file(name);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  return path;
}

describe('a docker config as a source of credentials', () => {
  it('gives the user and the password of the registry, and says whose they are', async () => {
    const file = await put('plain.json', authsOf('anna'));
    const found = await sourceOf(file).fetch(never);
    expect(found).toMatchObject({ username: 'anna', kind: 'password', identity: `user anna of ${file}` });
    expect(found?.password.reveal()).toBe(secret);
    expect(await sourceOf(file, 'other.test').fetch(never)).toBeUndefined();
  });

  it('gives those of a path to the repositories below it', async () => {
    const auths = { 'host.test': auth('host'), 'host.test/team': auth('team'), 'other.test/team/app': auth('other') };
    const source = sourceOf(await put('paths.json', JSON.stringify({ auths })));
    const userOf = async (repository: string) => (await source.fetch(never, await source.partOf(repository)))?.username;
    expect(await userOf('team/app')).toBe('team');
    expect(await userOf('teams/app')).toBe('host');
    expect(await source.fetch(never)).toMatchObject({ username: 'host' });
    expect((await source.fetch(never, 'team'))?.identity).toMatch(/^user team of .*paths.json, for host.test\/team$/);
    expect((await source.fetch(never, 'gone/since'))?.username).toBe('host');
  });

  it('says whose they are when they are for a path only', async () => {
    const file = await put('path.json', authsOf('team', 'host.test/team'));
    expect((await sourceOf(file).fetch(never))?.identity).toBe(`user team of ${file}, for host.test/team`);
    expect(await sourceOf(file).fetch(never, '')).toBeUndefined();
  });

  it('never shows a token in place of a user', async () => {
    const token = `ghp_${'aB3'.repeat(12)}`;
    const file = await put(
      'token.json',
      JSON.stringify({ auths: { 'host.test': { username: token, password: 'x-oauth-basic' } } }),
    );
    expect(await sourceOf(file).fetch(never)).toMatchObject({ username: token, identity: `a user of ${file}` });
  });
});

describe('a docker config that changes', () => {
  it('is read again, and its mark changes with it', async () => {
    const clock = new MovingClock();
    const file = await put('changing.json', authsOf('anna'));
    const source = sourceOf(file, 'host.test', clock);
    const before = await source.mark();
    expect(await source.mark()).toBe(before);
    expect(await source.partOf('team/app')).toBe('');
    await put('changing.json', authsOf('bert', 'host.test/team'));
    expect(await source.mark()).not.toBe(before);
    expect(await source.partOf('team/app')).toBe('');
    clock.pass(1);
    expect(await source.partOf('team/app')).toBe('team');
    expect(await source.fetch(never, 'team')).toMatchObject({ username: 'bert' });
  });

  it('as a Secret of Kubernetes does, by a symbolic link', async () => {
    const publish = async (version: string, user: string) => {
      await mkdir(folder.file(version));
      await writeFile(folder.file(`${version}/.dockerconfigjson`), authsOf(user));
      await symlink(version, folder.file('..data_tmp'));
      await rename(folder.file('..data_tmp'), folder.file('..data'));
    };
    await publish('..2026_1', 'anna');
    await symlink('..data/.dockerconfigjson', folder.file('.dockerconfigjson'));
    const source = sourceOf(folder.file('.dockerconfigjson'));
    const before = await source.mark();
    expect(await source.fetch(never)).toMatchObject({ username: 'anna' });
    await publish('..2026_2', 'bert');
    expect(await source.mark()).not.toBe(before);
    expect(await source.fetch(never)).toMatchObject({ username: 'bert' });
  });

  it('to something invalid is an error, while the paths stay as they were', async () => {
    const clock = new MovingClock();
    const file = await put('broken.json', authsOf('anna', 'host.test/team'));
    const source = sourceOf(file, 'host.test', clock);
    expect(await source.partOf('team/app')).toBe('team');
    await put('broken.json', `{"auths": {"host.test": ${secret}`);
    clock.pass(1);
    expect(await source.partOf('team/app')).toBe('team');
    expect(await failure(source.fetch(never, 'team'))).toMatch(/broken.json is not JSON/);
    await rm(file);
    expect(await source.mark()).toBe('unreadable: cannot be read: ENOENT');
    expect(await failure(source.fetch(never, 'team'))).toBe(`${file} cannot be read: ENOENT`);
    await put('broken.json', authsOf('bert', 'host.test/team'));
    expect(await source.fetch(never, 'team')).toMatchObject({ username: 'bert' });
  });
});

describe('a docker config that cannot be used', () => {
  it.each([
    ['is missing', () => Promise.resolve(folder.file('absent.json')), /absent.json cannot be read: ENOENT$/],
    ['is a folder', () => Promise.resolve(folder.path), / is not a regular file$/],
    [
      'is too large',
      () => put('large.json', `{"auths": {}}${' '.repeat(1024 * 1024)}`),
      /large.json is larger than 1 MiB$/,
    ],
    ['has no JSON', () => put('text.json', secret), /text.json is not JSON$/],
    [
      'has a bad entry',
      () => put('entry.json', JSON.stringify({ auths: { 'host.test': { auth: secret } } })),
      /entry.json has an entry whose auth is not user:password in base64 \(for host.test\)$/,
    ],
    [
      'names a program by a path',
      () => put('helper.json', JSON.stringify({ credsStore: `../${secret}` })),
      /helper.json has a credsStore entry that is not/,
    ],
  ])('because it %s is an error without any of its content', async (_, make, message) => {
    expect(await failure(sourceOf(await make()).fetch(never))).toMatch(message);
  });

  it('because it is a pipe keeps nobody waiting', async () => {
    execFileSync('mkfifo', [folder.file('pipe')]);
    const source = sourceOf(folder.file('pipe'));
    expect(await failure(source.fetch(never))).toMatch(/is not a regular file$/);
    expect(await source.mark()).toMatch(/is not a regular file$/);
  });
});

describe('without a file in the configuration', () => {
  const placesOf = (env: Record<string, string>) => configPlaces(undefined, env);

  it('the variable DOCKER_AUTH_CONFIG comes first, then config.json in DOCKER_CONFIG', async () => {
    const auths = { 'host.test': auth('file'), 'third.test': auth('third') };
    await put('config.json', JSON.stringify({ auths }));
    const places = placesOf({ DOCKER_AUTH_CONFIG: authsOf('variable'), DOCKER_CONFIG: folder.path });
    const found = await sourceOf(places).fetch(never);
    expect(found).toMatchObject({ username: 'variable', identity: 'user variable of DOCKER_AUTH_CONFIG' });
    expect(found?.password.reveal()).toBe(secret);
    expect(await sourceOf(places, 'third.test').fetch(never)).toMatchObject({ username: 'third' });
    expect(await sourceOf(placesOf({ DOCKER_CONFIG: folder.path })).fetch(never)).toMatchObject({ username: 'file' });
  });

  it('the variable alone is enough', async () => {
    const places = placesOf({ DOCKER_AUTH_CONFIG: authsOf('variable'), DOCKER_CONFIG: folder.file('absent') });
    expect(await sourceOf(places).fetch(never)).toMatchObject({ username: 'variable' });
    expect(await sourceOf(places, 'other.test').fetch(never)).toBeUndefined();
  });

  it('a mistake in the variable is an error without any of it', async () => {
    const source = sourceOf(placesOf({ DOCKER_AUTH_CONFIG: secret, DOCKER_CONFIG: folder.path }));
    expect(await failure(source.fetch(never))).toBe('DOCKER_AUTH_CONFIG is not JSON');
    expect(await failure(source.partOf('team/app'))).toBe('DOCKER_AUTH_CONFIG is not JSON');
  });

  it('nothing at all is an error that says what to do', async () => {
    const absent = folder.file('absent');
    expect(await failure(sourceOf(placesOf({ DOCKER_CONFIG: absent })).fetch(never))).toBe(
      `there is no file ${absent}/config.json, and DOCKER_AUTH_CONFIG is not set: set file, or sign in with docker login`,
    );
    expect(await failure(sourceOf([]).fetch(never))).toContain('there is no home folder');
  });

  it('the file is that of the home folder', () => {
    expect(placesOf({})).toEqual([
      {
        name: expect.stringMatching(/^\/.*\/\.docker\/config\.json$/) as string,
        path: expect.any(String) as string,
        isRequired: false,
      },
    ]);
  });
});

describe('helpers of a docker config', () => {
  const helper = (user: string) => `cat >"$OUT/server-${user}"; echo '{"Username":"${user}","Secret":"${secret}"}'`;
  const none = 'echo "credentials not found in native keychain"; exit 1';

  it('come first: that of the registry, that of all, the entries', async () => {
    await programs.add('own', helper('own'));
    await programs.add('all', helper('all'));
    const auths = { 'host.test:5000': auth('entry'), 'host.test:5000/team': auth('team') };
    const userOf = async (document: object) => {
      const file = await put('helpers.json', JSON.stringify({ auths, ...document }));
      return (await sourceOf(file, 'host.test:5000').fetch(never, 'team'))?.username;
    };
    expect(await userOf({ credHelpers: { 'host.test:5000': 'own' }, credsStore: 'all' })).toBe('own');
    expect(await userOf({ credHelpers: { 'other.test': 'own' }, credsStore: 'all' })).toBe('all');
    expect(await userOf({ credHelpers: { 'other.test': 'own' } })).toBe('team');
    expect(await programs.note('server-own')).toBe('host.test:5000');
  });

  it('are asked for Docker Hub as Docker asks', async () => {
    await programs.add('hub', helper('hub'));
    const file = await put(
      'hub.json',
      JSON.stringify({ credsStore: 'hub', auths: { 'https://index.docker.io/v1/': {} } }),
    );
    const found = await sourceOf(file, 'registry-1.docker.io').fetch(never);
    expect(found).toMatchObject({ username: 'hub', identity: `user hub of docker-credential-hub (${file})` });
    expect(await programs.note('server-hub')).toBe('https://index.docker.io/v1/');
  });

  it('that have none leave it to the entries', async () => {
    await programs.add('none', none);
    const file = await put('none.json', JSON.stringify({ credsStore: 'none', auths: { 'host.test': auth('entry') } }));
    expect(await sourceOf(file).fetch(never)).toMatchObject({ username: 'entry' });
    expect(await sourceOf(file, 'other.test').fetch(never)).toBeUndefined();
  });

  it('that are missing are an error that says what to do', async () => {
    const file = await put('missing.json', JSON.stringify({ credsStore: 'desktop', auths: { 'host.test': {} } }));
    expect(await failure(sourceOf(file).fetch(never))).toMatch(
      /^docker-credential-desktop is not in PATH.* Docker Desktop.*the container image has no helpers/,
    );
  });
});
