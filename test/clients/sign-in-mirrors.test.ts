import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { BUILT } from './support/built.js';
import { NAMESPACE, NOWHERE } from './support/client.js';
import { ContainerdDaemon } from './support/containerd-daemon.js';
import { DockerEngine } from './support/docker.js';
import type { HostedServer } from './support/hosted-server.js';
import { upstreamEntry } from './support/mirror.js';
import { type PrivateServer, startPrivateServer } from './support/private-server.js';
import { Scratch } from './support/scratch.js';
import { UpstreamRegistry } from './support/upstream-registry.js';

const { multi, schema2 } = inject('images');
const rules = `
  - { repositories: ['docker.io/library/**'], who: [anonymous], may: [pull] }
  - { repositories: ['${NAMESPACE}/**'], who: ['robot:ci', 'user:node'], may: [pull] }
`;
const keys = 'unknown_credentials: anonymous';

describe('a mirror with rules', () => {
  let scratch: Scratch;
  let priv: PrivateServer;
  let server: HostedServer;

  beforeAll(async () => {
    scratch = await Scratch.open();
    const upstream = await UpstreamRegistry.start(scratch, 'token');
    const upstreams = ['docker.io', NAMESPACE].map((name) => upstreamEntry(name, upstream)).join('');
    priv = await startPrivateServer(scratch, ['node'], { rules, keys, upstreams });
    server = priv.server;
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const logged = () => onTestFailed(async () => console.error(await server.logTail()));

  test.each([
    ['none', undefined],
    ['those of Docker Hub', { username: 'hub', password: 'of-docker-hub' }],
  ])('serves Docker Engine what everybody may pull, with %s as credentials', async (_, account) => {
    logged();
    const engine = await DockerEngine.mirrored(scratch, `http://${server.address}`);
    // Docker Hub cannot be asked whether they are right.
    if (account) await engine.writeDown('https://index.docker.io/v1/', account);
    expect(await engine.pull(multi)).toContain(multi.digest);
    await expect(engine.pull(schema2)).rejects.toThrow();
    await engine.close();
  });

  describe('serves containerd', () => {
    let containerd: ContainerdDaemon;
    beforeAll(async () => {
      containerd = await ContainerdDaemon.open(scratch, BUILT);
    });
    const pull = async (header: string) => {
      const hosts = await scratch.folder('containerd', 'certs.d', NAMESPACE);
      const file = `server = "http://${NOWHERE}"\n[host."http://${server.address}"]\n  capabilities = ["pull", "resolve"]\n`;
      await writeFile(`${hosts}/hosts.toml`, file + header);
      const name = `${NAMESPACE}/${schema2.repository}:${schema2.tag}`;
      const options = ['--hosts-dir', scratch.file('containerd/certs.d'), '--snapshotter', 'native', '--all-platforms'];
      await containerd.ctr('images', 'pull', '--local', ...options, name);
      return containerd.digestOf(name);
    };
    const header = ({ username, password }: { username: string; password: string }) =>
      `  [host."http://${server.address}".header]\n    Authorization = "Basic ${Buffer.from(`${username}:${password}`).toString('base64')}"\n`;

    test('what the account in the header of hosts.toml may pull', async () => {
      logged();
      await expect(pull('')).rejects.toThrow();
      await expect(pull(header({ username: 'node', password: 'wrong' }))).rejects.toThrow();
      expect(await pull(header(priv.robot))).toContain(schema2.digest);
    });
  });
});
