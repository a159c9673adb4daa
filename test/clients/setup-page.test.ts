import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { request } from '../fakes/request.js';
import { NAMESPACE } from './support/client.js';
import { ContainerdDaemon } from './support/containerd-daemon.js';
import { run } from './support/process.js';
import { Stage } from './support/stage.js';

/** What the set-up page gives to download, unpacked as it says, is read by the clients, and has them pull here. */
describe('the files of the set-up page', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open({ namespaces: [NAMESPACE, 'docker.io'] });
  });
  afterAll(() => (stage as Stage | undefined)?.close());

  const unpack = async (name: string, folder: string) => {
    const { status, body } = await request(`${stage.mirror.url}/_ui/setup?download=${name}`);
    expect(status).toBe(200);
    execFileSync('tar', ['-x', '-C', folder], { input: body });
  };

  test('containerd reads the tree of hosts.toml', async () => {
    await unpack('certs.d.tar', await stage.scratch.folder('containerd'));
    const daemon = await ContainerdDaemon.open(stage.scratch);
    const name = `${NAMESPACE}/${stage.images.multi.repository}:${stage.images.multi.tag}`;
    const hosts = ['--hosts-dir', daemon.path('certs.d'), '--snapshotter', 'native'];
    await daemon.ctr('images', 'pull', ...hosts, name);
    expect(await daemon.digestOf(name)).toHaveLength(1);
  });

  test('skopeo reads the file of registries.conf.d', async () => {
    const home = await stage.scratch.folder('home');
    await unpack('registries.conf.d.tar', await stage.scratch.folder('home', '.config', 'containers'));
    const name = `docker://${NAMESPACE}/${stage.images.multi.repository}:${stage.images.multi.tag}`;
    const environment = { HOME: home, REGISTRY_AUTH_FILE: stage.scratch.file('no-credentials.json') };
    const args = ['--insecure-policy', 'inspect', '--no-tags', '--format', '{{.Digest}}', name];
    expect(await run('skopeo', args, { environment })).toContain('sha256:');
  });
});
