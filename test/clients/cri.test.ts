import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { NAMESPACE, NOWHERE } from './support/client.js';
import { Cri } from './support/cri.js';
import type { HostedServer } from './support/hosted-server.js';
import { upstreamEntry } from './support/mirror.js';
import { type Account, type PrivateServer, startPrivateServer } from './support/private-server.js';
import { run } from './support/process.js';
import { homeOf, pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { signIn } from './support/sign-in.js';
import { UpstreamRegistry } from './support/upstream-registry.js';

const refusal = /unauthorized|denied|forbidden|authorization failed/i;
const wrong = (account: Account) => ({ ...account, password: 'wrong' });
const rules = `
  - { repositories: ['${NAMESPACE}/library/**'], who: [anonymous], may: [pull] }
  - { repositories: ['${NAMESPACE}/**'], who: ['robot:ci', 'user:node'], may: [pull] }
`;

describe('the image service that the kubelet uses', () => {
  const { multi, schema2 } = inject('images');
  let scratch: Scratch;
  let priv: PrivateServer;
  let server: HostedServer;
  let cri: Cri;

  beforeAll(async () => {
    scratch = await Scratch.open();
    const upstream = await UpstreamRegistry.start(scratch, 'token');
    priv = await startPrivateServer(scratch, ['node'], {
      rules,
      keys: 'unknown_credentials: anonymous',
      upstreams: upstreamEntry(NAMESPACE, upstream),
    });
    server = priv.server;
    cri = await Cri.open(scratch);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const logged = () => onTestFailed(async () => console.error(await server.logTail()));

  describe('at the registry in the name of the image', () => {
    let digest: string;
    beforeAll(async () => {
      const environment = await homeOf(scratch);
      const layout = scratch.file('layout');
      const copy = ['--insecure-policy', 'copy', '--quiet', '--all', multi.source, `oci:${layout}:it`];
      await run('skopeo', copy, { environment });
      const { crane } = await pushingClients(scratch);
      for (const [account, names] of [
        [priv.memberNamed('owner'), ['others/app:1', 'open/app:1']],
        [priv.robot, ['team/app:1']],
      ] as const) {
        await signIn('crane', server.address, account, environment);
        for (const name of names) await crane!.push(layout, server.name(name));
      }
      digest = multi.digest;
    });

    test('pulls what everybody may, without an imagePullSecret', async () => {
      logged();
      expect(await cri.pull(server.name('open/app:1'))).toBe(digest);
      await expect(cri.pull(server.name('team/app:1'))).rejects.toThrow(refusal);
    });

    test.each(['username', 'auth'] as const)('pulls a private image with an imagePullSecret of %s', async (key) => {
      logged();
      for (const account of [priv.memberNamed('node'), priv.robot]) {
        expect(await cri.pull(server.name('team/app:1'), account, key)).toBe(digest);
        expect(await cri.pull(server.name(`team/app@${digest}`), account, key)).toBe(digest);
        await expect(cri.pull(server.name('others/app:1'), account, key)).rejects.toThrow(refusal);
        await expect(cri.pull(server.name('team/app:1'), wrong(account), key)).rejects.toThrow(refusal);
      }
    });
  });

  describe('through a mirror in hosts.toml', () => {
    const publicName = `${NAMESPACE}/${multi.repository}:${multi.tag}`;
    const name = `${NAMESPACE}/${schema2.repository}:${schema2.tag}`;
    const mirrored = (authorization?: string) =>
      cri.configure(
        NAMESPACE,
        `server = "http://${NOWHERE}"\n[host."http://${server.address}"]\n  capabilities = ["pull", "resolve"]\n` +
          (authorization === undefined
            ? ''
            : `  [host."http://${server.address}".header]\n    Authorization = "${authorization}"\n`),
      );
    const basic = ({ username, password }: Account) =>
      `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const tokenOf = async (account: Account) => {
      const scope = `repository:${NAMESPACE}/${schema2.repository}:pull`;
      const response = await fetch(`http://${server.address}/token?service=${server.address}&scope=${scope}`, {
        headers: { authorization: basic(account) },
        signal: AbortSignal.timeout(30_000),
      });
      return ((await response.json()) as { token: string }).token;
    };

    test('pulls what everybody may, by tag and by digest', async () => {
      logged();
      await mirrored();
      expect(await cri.pull(publicName)).toBe(multi.digest);
      expect(await cri.pull(publicName.replace(`:${multi.tag}`, `@${multi.digest}`))).toBe(multi.digest);
    });

    test('pulls what the account or the token in the header may', async () => {
      logged();
      await mirrored();
      await expect(cri.pull(name)).rejects.toThrow();
      await mirrored(basic(wrong(priv.robot)));
      await expect(cri.pull(name)).rejects.toThrow();
      for (const authorization of [basic(priv.robot), `Bearer ${await tokenOf(priv.memberNamed('node'))}`]) {
        await mirrored(authorization);
        expect(await cri.pull(name)).toBe(schema2.digest);
      }
    });

    test('is sent the imagePullSecret of the registry, which it may not know', async () => {
      logged();
      await mirrored();
      const unknown = { username: 'somebody', password: 'of-the-registry' };
      expect(await cri.pull(publicName, unknown)).toBe(multi.digest);
      await expect(cri.pull(name, unknown)).rejects.toThrow();
      expect(await cri.pull(name, priv.robot)).toBe(schema2.digest);
    });
  });
});
