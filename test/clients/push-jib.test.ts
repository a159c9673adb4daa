import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { NAMESPACE } from './support/client.js';
import type { HostedServer } from './support/hosted-server.js';
import { Jib } from './support/jib/jib.js';
import { upstreamEntry } from './support/mirror.js';
import { type PrivateServer, startPrivateServer } from './support/private-server.js';
import { homeOf, pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { signIn } from './support/sign-in.js';
import { UpstreamRegistry } from './support/upstream-registry.js';

const rules = `
  - { repositories: ['docker.io/library/**'], who: [anonymous], may: [pull] }
  - { repositories: ['${NAMESPACE}/**'], who: ['user:jib'], may: [pull] }
`;

describe('jib, at a server with private repositories', () => {
  const { multi, schema2 } = inject('images');
  let scratch: Scratch;
  let priv: PrivateServer;
  let server: HostedServer;
  let jib: Jib;
  let clients: Record<string, PushingClient>;

  beforeAll(async () => {
    scratch = await Scratch.open();
    const upstream = await UpstreamRegistry.start(scratch, 'token');
    const upstreams = ['docker.io', NAMESPACE].map((name) => upstreamEntry(name, upstream)).join('');
    priv = await startPrivateServer(scratch, ['jib'], { rules, upstreams });
    server = priv.server;
    jib = new Jib(scratch);
    await mkdir(scratch.file('jib'));
    await writeFile(scratch.file('jib/file'), randomBytes(100_000));
    clients = await pushingClients(scratch);
    await signIn('skopeo', server.address, priv.memberNamed('jib'), await homeOf(scratch));
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const logged = () => onTestFailed(async () => console.error(await server.logTail()));

  test.each([['OCI'], ['Docker']] as const)('pushes an image of the format %s with several tags', async (format) => {
    logged();
    const name = `team/${format.toLowerCase()}`;
    const account = format === 'OCI' ? priv.memberNamed('jib') : priv.robot;
    const target = server.name(`${name}:1`);
    const digest = await jib.push({ base: 'scratch', target, tags: ['1.2', 'latest'], format, account });
    for (const tag of ['1', '1.2', 'latest'])
      expect(await clients.skopeo!.pull(server.name(`${name}:${tag}`))).toBe(digest);
  });

  test('builds on a base image of a mirrored namespace, whose layers are mounted', async () => {
    logged();
    const base = `${server.address}/${NAMESPACE}/${schema2.repository}:${schema2.tag}`;
    const target = server.name('team/on-mirrored:1');
    // What the mirror has not stored yet cannot be mounted.
    await clients.skopeo!.pull(base);
    const digest = await jib.push({ base, target, account: priv.memberNamed('jib') });
    expect(await clients.skopeo!.pull(target)).toBe(digest);
    // Its own layer and the configuration; the layers of the base are in none of the bodies.
    const requests = await server.requests();
    const bodies = requests.filter(
      ({ repository, method }) => repository?.endsWith('/on-mirrored') && method === 'PATCH',
    );
    expect(bodies).toHaveLength(2);
  });

  test('builds a manifest list of two platforms on a base image that it pulls through the mirror of Docker Hub', async () => {
    logged();
    const base = `${multi.repository}:${multi.tag}`;
    const target = server.name('team/on-hub:1');
    const account = priv.memberNamed('jib');
    // It makes no OCI index.
    const kind = { architectures: ['amd64', 'arm64'], format: 'Docker' } as const;
    const digest = await jib.push({ base, target, ...kind, account, mirror: server.address });
    expect(await clients.skopeo!.pull(target)).toBe(digest);
  });

  test('is refused without an account, with a wrong password, and where its account may not push or pull', async () => {
    logged();
    const account = priv.memberNamed('jib');
    const push = (repository: string, who?: typeof account, base = 'scratch') =>
      jib.push({ base, target: server.name(`${repository}:1`), ...(who && { account: who }) });
    const refusal = /Unauthorized|Forbidden/i;
    await Promise.all([
      expect(push('team/refused')).rejects.toThrow(refusal),
      expect(push('team/refused', { ...account, password: 'wrong' })).rejects.toThrow(refusal),
      expect(push('others/refused', account)).rejects.toThrow(refusal),
      expect(push('team/refused', account, server.name('others/none:1'))).rejects.toThrow(refusal),
    ]);
  });
});
