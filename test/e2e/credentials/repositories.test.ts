import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { CredentialStage } from './stage.js';

const image = makeImage({ layers: [1_000] });
const [layer] = image.layers;
const source = (username: string, repositories?: string | string[]) => ({
  static: { username, password: `${username}-password` },
  ...(repositories !== undefined && { repositories }),
});
/** Each account may read the repositories below its own name; `root` may read `other`. */
const accepts = (user: string, password: string, repository?: string) =>
  password === `${user}-password` && (repository === undefined || repository.startsWith(`${user}/`));
const userOf = (authorization = '') =>
  Buffer.from(authorization.replace('Basic ', ''), 'base64').toString().split(':')[0]!;

describe.each(['basic', 'bearer'] as const)('credentials for some repositories, with %s', (auth) => {
  it('are sent for these only, the most specific first', async () => {
    const credentials = [source('team', 'team/**'), source('rest'), source('team/inner', ['team/inner/**'])];
    const all = (user: string, password: string, repository?: string) =>
      accepts(user, password, repository) &&
      (repository === undefined || user === 'team/inner' || !repository.startsWith('team/inner/'));
    await using stage = await CredentialStage.start({ auth, accepts: all }, { credentials });
    const names = { 'team/app': 'team', 'team/inner/app': 'team/inner', 'rest/app': 'rest' };
    for (const name of Object.keys(names)) stage.registry.addImage(name, image, ['1']);
    for (const [name, user] of Object.entries(names)) {
      stage.registry.reset();
      expect((await stage.pull(`${name}/manifests/1`)).status).toBe(200);
      const sent = stage.registry.requests.map(({ headers }) => headers.authorization ?? '');
      expect(new Set(sent.filter((value) => value.startsWith('Basic ')).map(userOf))).toEqual(new Set([user]));
    }
  });

  it('leave the others anonymous', async () => {
    const access = { 'open/app': 'public' } as const;
    const entry = { credentials: source('team', 'team/**') };
    await using stage = await CredentialStage.start({ auth, accepts, access, anonymous: true }, entry);
    for (const name of ['open/app', 'closed/app']) stage.registry.addImage(name, image, ['1']);
    stage.registry.behaviour.access = { ...access, 'closed/app': 'private' };
    expect((await stage.pull('open/app/manifests/1')).status).toBe(200);
    expect((await stage.pull('closed/app/manifests/1')).status).toBeGreaterThanOrEqual(400);
    const sent = stage.registry.requests.map(({ headers }) => headers.authorization ?? '');
    expect(sent.filter((value) => value.startsWith('Basic '))).toEqual([]);
  });

  it('permit nothing in the repositories of others: a digest is not a permission', async () => {
    const credentials = [source('team', 'team/**'), source('rest')];
    await using stage = await CredentialStage.start({ auth, accepts }, { credentials });
    stage.registry.addImage('team/app', image, ['1']);
    for (const name of ['rest/empty', 'other/app']) stage.registry.addImage(name, makeImage({ layers: [10] }), ['1']);
    stage.registry.addImage('other/app', image, ['1']);
    expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    expect((await stage.pull(`team/app/blobs/${layer!.digest}`)).status).toBe(200);
    for (const name of ['rest/empty', 'other/app']) {
      expect((await stage.pull(`${name}/blobs/${layer!.digest}`)).status).toBeGreaterThanOrEqual(401);
      expect((await stage.pull(`${name}/manifests/${image.manifest.digest}`)).status).toBeGreaterThanOrEqual(401);
    }
  });
});

describe('paths of a docker config', () => {
  it('choose the account of a repository', async () => {
    await using folder = await Folder.make();
    const file = folder.file('config.json');
    const auth = (user: string) => ({ auth: Buffer.from(`${user}:${user}-password`).toString('base64') });
    await writeFile(file, '{}');
    await using stage = await CredentialStage.start(
      { auth: 'bearer', accepts },
      { credentials: { docker_config: { file } } },
    );
    const { host } = stage.registry;
    await writeFile(file, JSON.stringify({ auths: { [host]: auth('rest'), [`${host}/team`]: auth('team') } }));
    for (const name of ['team/app', 'rest/app']) stage.registry.addImage(name, image, ['1']);
    expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    expect((await stage.pull('rest/app/manifests/1')).status).toBe(200);
  });
});
