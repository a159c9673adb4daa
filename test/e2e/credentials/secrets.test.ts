import { chmod, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { CredentialStage, type UpstreamEntry } from './stage.js';
import { visible } from './visible.js';

const image = makeImage({ layers: [1_000] });
const planted = 'planted-k3y';
const basicOf = (password: string) => Buffer.from(`robot:${password}`).toString('base64');

/** Sources of one account, each with a secret of its own. */
const sources: Record<string, (folder: Folder, host: string) => Promise<UpstreamEntry>> = {
  'a password': () => Promise.resolve({ username: 'robot', password: planted }),
  'a password file': async (folder) => {
    await writeFile(folder.file('password'), planted);
    return { username: 'robot', password_file: folder.file('password') };
  },
  static: () => Promise.resolve({ credentials: { static: { username: 'robot', password: planted } } }),
  'a docker config': async (folder, host) => {
    await writeFile(folder.file('config.json'), JSON.stringify({ auths: { [host]: { auth: basicOf(planted) } } }));
    return { credentials: { docker_config: { file: folder.file('config.json') } } };
  },
  'an identity token': async (folder, host) => {
    const entry = { auth: basicOf(''), identitytoken: planted };
    await writeFile(folder.file('config.json'), JSON.stringify({ auths: { [host]: entry } }));
    return { credentials: { docker_config: { file: folder.file('config.json') } } };
  },
  'a helper': async (folder, host) => {
    const program = folder.file('docker-credential-planted');
    const answer = JSON.stringify({ ServerURL: host, Username: 'robot', Secret: planted });
    await writeFile(program, `#!/bin/sh\ncat >/dev/null\necho '${answer}'\n`);
    await chmod(program, 0o700);
    return { credentials: { helper: { name: program } } };
  },
};

const forms = [planted, Buffer.from(planted).toString('base64'), basicOf(planted), encodeURIComponent(planted)];
const expectNothing = (text: string) => {
  for (const form of forms) expect(text.includes(form), form).toBe(false);
};

describe.each(Object.keys(sources))('the secret of %s', (name) => {
  it('goes to the registry and its token server only', async () => {
    await using folder = await Folder.make();
    await using stage = await CredentialStage.start(
      {
        auth: 'bearer',
        redirectBlobs: 307,
        accepts: (user, password) => user === 'robot' && [planted, ''].includes(password),
        identityTokens: { [planted]: 'robot' },
      },
      (host) => sources[name]!(folder, host),
    );
    stage.registry.addImage('team/app', image, ['1']);
    const blob = `team/app/blobs/${image.layers[0]!.digest}`;
    const responses = [
      await stage.pull('team/app/manifests/1'),
      await stage.pull(blob),
      await stage.pull('team/no/manifests/1'),
    ];
    expect(responses.slice(0, 2).map(({ status }) => status)).toEqual([200, 200]);
    const sent = stage.registry.requests.filter(({ kind }) => kind === 'token');
    expect(forms.some((form) => JSON.stringify(sent).includes(form))).toBe(true);
    expectNothing(
      await visible(
        stage,
        responses.map((response) => JSON.stringify(response)),
      ),
    );
  });

  it('does not go to a token server that is not listed, and is not shown when it is refused', async () => {
    await using folder = await Folder.make();
    await using stage = await CredentialStage.start(
      { auth: 'bearer', token: { separatePort: true }, identityTokens: { other: 'robot' } },
      async (host) => ({ ...(await sources[name]!(folder, host)), token_realms: [] }),
    );
    stage.registry.addImage('team/app', image, ['1']);
    const refused = await stage.pull('team/app/manifests/1');
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(stage.registry.requests.filter(({ kind }) => kind === 'token')).toEqual([]);
    stage.registry.behaviour.token.separatePort = false;
    const wrong = await stage.pull('team/app/manifests/1');
    expect(wrong.status).toBe(401);
    expectNothing(await visible(stage, [refused.text, wrong.text]));
  });
});
