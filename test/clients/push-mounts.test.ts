import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { NAMESPACE } from './support/client.js';
import { HostedServer } from './support/hosted-server.js';
import { contents } from './support/images.js';
import { upstreamEntry } from './support/mirror.js';
import { run } from './support/process.js';
import { Scratch } from './support/scratch.js';
import { UpstreamRegistry } from './support/upstream-registry.js';

describe('an image that is copied from a mirrored namespace to a hosted one', () => {
  const { multi } = inject('images');
  let scratch: Scratch;
  let server: HostedServer;

  beforeAll(async () => {
    scratch = await Scratch.open();
    const upstream = await UpstreamRegistry.start(scratch, 'token');
    server = await HostedServer.start(scratch, { upstreams: upstreamEntry(NAMESPACE, upstream) });
    await call('crane', '--insecure', 'validate', '--remote', mirrored());
    await call('regctl', 'registry', 'set', '--tls', 'disabled', server.address);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const mirrored = () => `${server.address}/${NAMESPACE}/${multi.repository}:${multi.tag}`;
  const call = (program: string, ...args: string[]) => {
    const environment = {
      HOME: scratch.path,
      DOCKER_CONFIG: scratch.file('no-docker'),
      REGCTL_CONFIG: scratch.file('regctl.json'),
      REGISTRY_AUTH_FILE: scratch.file('home/auth.json'),
      TMPDIR: scratch.path,
    };
    return run(program, args, { environment });
  };
  const copies: Record<string, (target: string) => Promise<string>> = {
    'crane copy': (target) => call('crane', '--insecure', 'copy', mirrored(), target),
    'regctl image copy': (target) => call('regctl', 'image', 'copy', mirrored(), target),
    'oras cp': (target) => call('oras', 'cp', '--no-tty', '--from-plain-http', '--to-plain-http', mirrored(), target),
  };

  test.each(Object.keys(copies))('by %s is mounted on the server: no layer goes through the client', async (name) => {
    onTestFailed(async () => console.error(await server.logTail()));
    const before = (await server.requests()).length;
    const target = server.name(`${name.split(' ')[0]}/multi:1`);
    await copies[name]!(target);
    const requests = (await server.requests()).slice(before);
    const layers = contents(multi, 'all').blobs;
    expect(requests.filter(({ method, status }) => method === 'POST' && status === 201)).toHaveLength(layers.length);
    // A session of an upload is not a digest; manifests are pushed by digest or tag.
    expect(requests.filter(({ reference = '' }) => /^[0-9a-f]{32}$/.test(reference))).toEqual([]);
    expect(requests.filter(({ method, reference = '' }) => method === 'GET' && layers.includes(reference))).toEqual([]);
    expect(await call('crane', '--insecure', 'digest', target)).toBe(multi.digest);
  });
});
