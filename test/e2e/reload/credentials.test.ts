import { chmod, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { entry, image, manifestPath, Scene } from './support/scene.js';

const account = { auth: 'basic', anonymous: false } as const;

const places = [
  ['beside the other keys', (file: string) => `username: user, password_file: '${file}'`],
  ['of a static source', (file: string) => `credentials: { static: { username: user, password_file: '${file}' } }`],
] as const;

describe('a password file that is damaged before the first pull', () => {
  it.each(places)('leaves the password of the start in use, %s', async (_, keys) => {
    await using scene = await Scene.make();
    const registry = await scene.registry(account);
    const damages = { gone: undefined, empty: '', lines: 'two\nlines\n' };
    const names = Object.keys(damages);
    for (const name of names) await writeFile(scene.folder.file(name), 'planted-password\n');
    const yaml = names.map((name) => entry(`${name}.test`, registry, keys(scene.folder.file(name)))).join('');
    await scene.start(yaml);
    for (const [name, content] of Object.entries(damages))
      if (content === undefined) await rm(scene.folder.file(name));
      else await writeFile(scene.folder.file(name), content);
    expect((await scene.reloads.reload()).result).toBe('rejected');
    for (const name of names) expect(await scene.statusOf(manifestPath(`${name}.test`)), name).toBe(200);
    expect(scene.mirror.log).not.toContain('planted');
  });

  it.each(places)('leaves that of the last reload in use, %s', async (_, keys) => {
    await using scene = await Scene.make();
    const file = scene.folder.file('password');
    await writeFile(file, 'planted-earlier');
    await scene.start(entry('one.test', await scene.registry(account), keys(file)));
    await writeFile(file, 'planted-password');
    await scene.reloads.reload();
    await rm(file);
    expect(await scene.statusOf()).toBe(200);
  });
});

describe('credentials in hand, while their source fails', () => {
  it('stay in use when another key of the entry changes, and go with the host', async () => {
    await using scene = await Scene.make();
    const [one, two] = [await scene.registry(account), await scene.registry(account)];
    one.addImage('team/other', image, ['v1']);
    const [config, helper] = [scene.folder.file('config.json'), scene.folder.file('helper')];
    const auth = (text: string) => writeFile(config, JSON.stringify({ auths: { [one.host]: { auth: text } } }));
    const help = (script: string) => scene.replace('helper', `#!/bin/sh\n${script}\n`).then(() => chmod(helper, 0o700));
    await auth(Buffer.from('user:planted-password').toString('base64'));
    await help(`echo '{"Username":"user","Secret":"planted-password"}'`);
    const yaml = (registry: typeof one, more: string) =>
      entry('docker.test', one, `credentials: { docker_config: { file: '${config}' } }${more}`) +
      entry('helper.test', registry, `credentials: [{ helper: { name: '${helper}' } }]${more}`);
    await scene.start(yaml(one, ''));
    const statuses = async (repository: string) => [
      await scene.statusOf(`/v2/docker.test/team/${repository}/manifests/v1`),
      await scene.statusOf(`/v2/helper.test/team/${repository}/manifests/v1`),
    ];
    expect(await statuses('app')).toEqual([200, 200]);
    await auth('!!');
    await help('exit 1');
    for (const more of [', tag_ttl: 11m', ", tag_ttl: 11m, token_realms: ['token.test']"]) {
      await scene.replace('upstreams.yaml', yaml(one, more));
      expect((await scene.reloads.reload()).result).toBe('applied');
    }
    expect(await statuses('other')).toEqual([200, 200]);
    await scene.replace('upstreams.yaml', yaml(two, ''));
    await scene.reloads.reload();
    two.addImage('team/third', image, ['v1']);
    expect(await scene.statusOf('/v2/helper.test/team/third/manifests/v1')).toBe(503);
    expect(two.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(false);
    expect(scene.mirror.log).not.toContain('planted');
  });
});
