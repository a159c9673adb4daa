import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Folder } from '../../../test/e2e/support/folder.js';
import { validateSettings } from '../validation/validation.js';
import { DockerConfigSettings } from './docker-config.settings.js';
import { HelperSettings } from './helper.settings.js';

describe('the settings of a docker config', () => {
  it('say what is wrong with the file, and nothing of its content', async () => {
    await using folder = await Folder.make();
    const mistakes = (file?: string) => Object.assign(new DockerConfigSettings(), { file }).mistakes();
    const reason = async (name: string, text: string) => {
      await writeFile(folder.file(name), text);
      return mistakes(folder.file(name)).map((mistake) => mistake.reason);
    };
    expect(mistakes()).toEqual([]);
    expect(await reason('good', '{"auths": {}}')).toEqual([]);
    expect(await reason('bad', 'planted-secret')).toEqual(['is not JSON']);
    expect(await reason('large', ' '.repeat(1024 * 1024 + 1))).toEqual(['is larger than 1 MiB']);
    await mkdir(folder.file('folder'));
    expect(mistakes(folder.file('folder'))).toEqual([
      { name: 'file', kind: 'a file', reason: 'is a folder: name the file in it, such as .dockerconfigjson' },
    ]);
    expect(mistakes(folder.file('absent'))[0]?.reason).toBe('cannot be read: ENOENT');
    expect(mistakes('/dev/zero')[0]?.reason).toBe('is not a regular file');
  });
});

describe('the settings of a helper', () => {
  const problems = (values: Record<string, unknown>) =>
    validateSettings(HelperSettings, values, (name) => name).problems.map(({ path, reason }) => `${path} ${reason}`);

  it.each(['ecr-login', 'acr_env', 'gcloud', 'x.y', '/usr/local/bin/docker-credential-x'])(
    'take the name %s',
    (name) => {
      expect(problems({ name })).toEqual([]);
    },
  );

  it.each(['', '-x', '../x', 'a/b', './x', 'a b', 'a;b', '$(x)', '/a\nb', 'x'.repeat(65), 5])(
    'refuse the name %j',
    (name) => {
      expect(problems({ name })).toEqual([
        'name must be what follows docker-credential- in the name of a program in PATH, such as ecr-login, or the absolute path of a program',
      ]);
    },
  );

  it('refuse a server with control characters', () => {
    expect(problems({ name: 'x', server: 'https://index.docker.io/v1/' })).toEqual([]);
    expect(problems({ name: 'x', server: 'a\nb' })).toEqual(['server must be text without control characters']);
  });
});
