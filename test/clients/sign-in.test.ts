import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import type { HostedServer } from './support/hosted-server.js';
import { type PrivateServer, startPrivateServer } from './support/private-server.js';
import { type Environment, run } from './support/process.js';
import { homeOf, pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { type Program, signIn, signOut } from './support/sign-in.js';

const names = ['skopeo', 'podman', 'buildah', 'crane', 'oras', 'regctl'] as const;
/** What clients say, of 401 and 403. */
const refusal =
  /unauthorized|denied|forbidden|http 40[13]|status code 40[13]|authentication required|invalid username\/password/i;
/** What they say of a right that an account does not have: the message of the server, or its status. */
const denial = /may not|denied|forbidden|http 403|insufficient|unauthorized/i;

describe('at a server with private repositories', () => {
  const { schema2 } = inject('images');
  let scratch: Scratch;
  let priv: PrivateServer;
  let server: HostedServer;
  let environment: Environment;
  let clients: Record<string, PushingClient>;
  let layout: string;

  beforeAll(async () => {
    scratch = await Scratch.open();
    priv = await startPrivateServer(scratch, [...names, 'helm']);
    server = priv.server;
    environment = await homeOf(scratch);
    clients = await pushingClients(scratch);
    layout = scratch.file('layout');
    const copy = ['--insecure-policy', 'copy', '--quiet', '--format', 'oci', schema2.source, `oci:${layout}:it`];
    await run('skopeo', copy, { environment });
    const owner = priv.memberNamed('owner');
    await signIn('crane', server.address, owner, environment);
    for (const name of ['others/app:1', 'open/app:1']) await clients.crane!.push(layout, server.name(name));
    await signIn('crane', server.address, priv.robot, environment);
    await clients.crane!.push(layout, server.name('team/app:1'));
    await signOut('crane', server.address, environment);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const logged = () => onTestFailed(async () => console.error(await server.logTail()));
  const withAccount = async (program: Program, account: PrivateServer['robot'], work: () => Promise<unknown>) => {
    await signIn(program, server.address, account, environment);
    try {
      await work();
    } finally {
      await signOut(program, server.address, environment);
    }
  };

  describe.each(names)('%s', (name) => {
    test('without an account pulls what everybody may, and nothing else', async () => {
      logged();
      await clients[name]!.pull(server.name('open/app:1'));
      await expect(clients[name]!.pull(server.name('others/app:1'))).rejects.toThrow(refusal);
      await expect(clients[name]!.push(layout, server.name('open/app:2'))).rejects.toThrow(refusal);
    });

    test('signs in, pushes and pulls a private repository, and is denied others', async () => {
      logged();
      const target = server.name(`team/${name}:1`);
      await withAccount(name, priv.memberNamed(name), async () => {
        await clients[name]!.push(layout, target);
        await clients[name]!.pull(target);
        await expect(clients[name]!.pull(server.name('others/app:1'))).rejects.toThrow(denial);
        // It would try for five seconds.
        if (name === 'regctl') return;
        await expect(clients[name]!.push(layout, server.name(`others/${name}:1`))).rejects.toThrow(denial);
      });
      // Not what it has in its store.
      await expect(clients[name]!.pull(server.name('team/app:1'))).rejects.toThrow(refusal);
    });

    test('does not sign in with a wrong password', async () => {
      logged();
      const account = { ...priv.memberNamed(name), password: 'wrong' };
      const signedIn = signIn(name, server.address, account, environment);
      if (name !== 'crane') return expect(signedIn).rejects.toThrow(refusal);
      // It writes the password down and asks nobody.
      await signedIn;
      await expect(clients[name]!.pull(server.name('team/app:1'))).rejects.toThrow(refusal);
      await signOut(name, server.address, environment);
    });

    test('signs in as a robot', async () => {
      logged();
      await withAccount(name, priv.robot, () => clients[name]!.push(layout, server.name(`team/robot-${name}:1`)));
    });
  });

  test('Helm signs in, and pushes and pulls a chart', async () => {
    logged();
    const helm = (...args: string[]) => run('helm', args, { environment, directory: scratch.path });
    await scratch.folder('chart');
    await writeFile(scratch.file('chart/Chart.yaml'), 'apiVersion: v2\nname: app\nversion: 1.2.3\n');
    await helm('package', 'chart');
    const push = (folder: string) => helm('push', 'app-1.2.3.tgz', `oci://${server.name(folder)}`, '--plain-http');
    const chart = ['pull', `oci://${server.name('team/charts/app')}`, '--version', '1.2.3', '--plain-http'];
    await expect(push('team/charts')).rejects.toThrow(refusal);
    for (const account of [priv.memberNamed('helm'), priv.robot]) {
      await withAccount('helm', account, async () => {
        await push('team/charts');
        await helm(...chart, '--destination', await scratch.folder(`charts-${account.username}`));
        await expect(push('others/charts')).rejects.toThrow(denial);
      });
    }
    await expect(helm(...chart, '--destination', scratch.path)).rejects.toThrow(refusal);
    const wrong = { ...priv.memberNamed('helm'), password: 'wrong' };
    await expect(signIn('helm', server.address, wrong, environment)).rejects.toThrow(refusal);
  });
});
