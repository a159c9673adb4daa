import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { BuildKit } from './support/buildkit.js';
import { BUILT } from './support/built.js';
import { ContainerdDaemon } from './support/containerd-daemon.js';
import { DockerEngine } from './support/docker.js';
import type { HostedServer } from './support/hosted-server.js';
import { type Account, type PrivateServer, startPrivateServer } from './support/private-server.js';
import { type Environment, run } from './support/process.js';
import { homeOf, pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { signIn, signOut } from './support/sign-in.js';

const members = ['containerd', 'docker', 'buildkit'] as const;
const refusal = /unauthorized|denied|forbidden|authorization failed|no basic auth|incorrect username/i;
const wrong = (account: Account) => ({ ...account, password: 'wrong' });

describe('at a server with private repositories', () => {
  const { schema2 } = inject('images');
  let scratch: Scratch;
  let priv: PrivateServer;
  let server: HostedServer;
  let containerd: ContainerdDaemon;
  let environment: Environment;

  beforeAll(async () => {
    scratch = await Scratch.open();
    priv = await startPrivateServer(scratch, members);
    server = priv.server;
    environment = await homeOf(scratch);
    containerd = await ContainerdDaemon.open(scratch, BUILT);
    const layout = scratch.file('layout');
    const copy = ['--insecure-policy', 'copy', '--quiet', '--format', 'oci', schema2.source, `oci:${layout}:it`];
    await run('skopeo', copy, { environment });
    const clients = await pushingClients(scratch);
    for (const [account, name] of [
      [priv.memberNamed('owner'), 'others/app:1'],
      [priv.memberNamed('owner'), 'open/app:1'],
      [priv.robot, 'team/app:1'],
    ] as const) {
      await signIn('crane', server.address, account, environment);
      await clients.crane!.push(layout, server.name(name));
      await signOut('crane', server.address, environment);
    }
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const logged = () => onTestFailed(async () => console.error(await server.logTail()));

  describe.each([
    ['ctr', ['--local']],
    ['ctr with the transfer service', []],
  ])('%s', (_, options) => {
    const ctr = (command: string, name: string, account?: Account) => {
      const user = account ? ['--user', `${account.username}:${account.password}`] : [];
      const store = command === 'pull' ? ['--snapshotter', 'native', '--all-platforms'] : [];
      return containerd.ctr('images', command, '--plain-http', ...options, ...store, ...user, name);
    };

    test('pulls and pushes what its account may, and nothing else', async () => {
      logged();
      await ctr('pull', server.name('open/app:1'));
      await expect(ctr('pull', server.name('team/app:1'))).rejects.toThrow(refusal);
      await expect(ctr('pull', server.name('team/app:1'), wrong(priv.memberNamed('containerd')))).rejects.toThrow(
        refusal,
      );
      for (const account of [priv.memberNamed('containerd'), priv.robot]) {
        await ctr('pull', server.name('team/app:1'), account);
        const target = server.name(`team/ctr-${options.length}-${account.username}:1`.replace('+', '-'));
        await containerd.ctr('images', 'tag', '--force', server.name('team/app:1'), target);
        await ctr('push', target, account);
        const other = server.name('others/new:1');
        await containerd.ctr('images', 'tag', '--force', server.name('team/app:1'), other);
        await expect(ctr('push', other, account)).rejects.toThrow(refusal);
        await expect(ctr('pull', server.name('others/app:1'), account)).rejects.toThrow(refusal);
      }
    });
  });

  describe.each([
    ['Docker Engine', () => DockerEngine.pushing(scratch)],
    ['Docker Engine with the containerd image store', () => DockerEngine.withContainerd(scratch, containerd)],
  ])('%s', (name, open) => {
    test('signs in, and pulls and pushes what its account may', async () => {
      logged();
      const engine = await open();
      await engine.pullAgain(server.name('open/app:1'));
      await expect(engine.pullAgain(server.name('team/app:1'))).rejects.toThrow(refusal);
      await expect(engine.login(server.address, wrong(priv.memberNamed('docker')))).rejects.toThrow(refusal);
      for (const account of [priv.memberNamed('docker'), priv.robot]) {
        await engine.login(server.address, account);
        await engine.pullAgain(server.name('team/app:1'));
        const target = server.name(`team/${name.toLowerCase()}-${account.username}:1`.replaceAll(/[ +]/g, '-'));
        await engine.pushAs(server.name('team/app:1'), target);
        await expect(engine.pullAgain(server.name('others/app:1'))).rejects.toThrow(/may not pull|denied/);
        await expect(engine.pushAs(target, server.name('others/new:1'))).rejects.toThrow(/may not (pull|push)|denied/);
        await engine.logout(server.address);
      }
      await expect(engine.pullAgain(server.name('team/app:1'))).rejects.toThrow(refusal);
      await engine.close();
    });
  });

  test('BuildKit uses what docker login has written down', async () => {
    logged();
    const buildkit = await BuildKit.open(scratch, containerd);
    const build = (from: string, to: string) =>
      buildkit.push(server.name(to), `FROM ${server.name(from)}\nCOPY file /file\n`);
    await expect(build('team/app:1', 'team/built:1')).rejects.toThrow(refusal);
    for (const account of [priv.memberNamed('buildkit'), priv.robot]) {
      // crane writes the same file.
      await signIn('crane', server.address, account, buildkit.environment);
      await build('team/app:1', 'team/built:1');
      await expect(build('others/app:1', 'team/built:2')).rejects.toThrow(refusal);
      await expect(build('team/app:1', 'others/built:1')).rejects.toThrow(refusal);
      await signOut('crane', server.address, buildkit.environment);
    }
    await signIn('crane', server.address, wrong(priv.memberNamed('buildkit')), buildkit.environment);
    await expect(build('team/app:1', 'team/built:3')).rejects.toThrow(refusal);
  });
});
