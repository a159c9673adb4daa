import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { HostedServer } from './support/hosted-server.js';
import { run } from './support/process.js';
import { pushingClients } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

/** Nothing here reaches a transparency log. */
const signing = ['--yes', '--tlog-upload=false', '--use-signing-config=false', '--allow-http-registry'];
const verifying = ['--insecure-ignore-tlog', '--allow-http-registry'];
const formats = [
  ['as a referrer', '--new-bundle-format=true'],
  ['under a tag, as before version 3', '--new-bundle-format=false'],
] as const;

describe('an image that cosign', () => {
  const { multi } = inject('images');
  let scratch: Scratch;
  let server: HostedServer;

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch);
    const clients = await pushingClients(scratch);
    const layout = scratch.file('layout');
    await run('skopeo', ['--insecure-policy', 'copy', '--quiet', '--all', multi.source, `oci:${layout}:it`]);
    for (const index of formats.keys()) await clients.crane!.push(layout, server.name(`signed/${index}:1`));
    for (const key of ['cosign', 'other']) await cosign('generate-key-pair', '--output-key-prefix', key);
    await writeFile(scratch.file('sbom.json'), '{"spdxVersion":"SPDX-2.3","name":"app"}');
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const cosign = (...args: string[]) => {
    const environment = { HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker'), COSIGN_PASSWORD: 'secret' };
    return run('cosign', args, { environment, directory: scratch.path });
  };
  const image = (index: number) => `${server.name(`signed/${index}`)}@${multi.digest}`;

  test.each(formats.map((format, index) => [...format, index] as const))(
    'signs and attests %s is verified, and is shown in its tree',
    async (_, format, index) => {
      onTestFailed(async () => console.error(await server.logTail()));
      const target = image(index);
      const verify = (key: string) => cosign('verify', '--key', key, format, ...verifying, target);
      await expect(verify('cosign.pub')).rejects.toThrow(/no signatures found/);
      await cosign('sign', '--key', 'cosign.key', format, ...signing, target);
      expect(await verify('cosign.pub')).toContain(multi.digest);
      await expect(verify('other.pub')).rejects.toThrow();
      const predicate = ['--predicate', 'sbom.json', '--type', 'spdxjson'];
      await cosign('attest', '--key', 'cosign.key', format, ...predicate, ...signing, target);
      const attested = ['--key', 'cosign.pub', '--type', 'spdxjson', format, ...verifying];
      expect(await cosign('verify-attestation', ...attested, target)).toContain('payload');
      const tree = await cosign('tree', '--allow-http-registry', target);
      expect(tree.match(/sha256:[0-9a-f]{64}\n?$/gm)!.length).toBeGreaterThanOrEqual(2);
      // By its tag, as most people name it.
      const byTag = server.name(`signed/${index}:1`);
      expect(await cosign('verify', '--key', 'cosign.pub', format, ...verifying, byTag)).toContain(multi.digest);
    },
  );

  test('signs and attests goes with its signatures to another repository', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const environment = { HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker') };
    const regctl = (...args: string[]) =>
      run('regctl', args, { environment: { ...environment, REGCTL_CONFIG: scratch.file('regctl.json') } });
    await regctl('registry', 'set', '--tls', 'disabled', server.address);
    await regctl('image', 'copy', '--referrers', server.name('signed/0:1'), server.name('moved/0:1'));
    await run(
      'oras',
      [
        'cp',
        '-r',
        '--no-tty',
        '--from-plain-http',
        '--to-plain-http',
        server.name('signed/0:1'),
        server.name('moved/1:1'),
      ],
      { environment },
    );
    for (const index of [0, 1]) {
      const target = server.name(`moved/${index}:1`);
      expect(await cosign('verify', '--key', 'cosign.pub', ...verifying, target)).toContain(multi.digest);
    }
  });

  test('has signatures of ten people who sign at the same moment', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const target = image(0);
    const people = Array.from({ length: 10 }, (_, index) => `person=${index}`);
    await Promise.all(people.map((who) => cosign('sign', '--key', 'cosign.key', '-a', who, ...signing, target)));
    for (const who of people)
      expect(await cosign('verify', '--key', 'cosign.pub', '-a', who, ...verifying, target)).toContain(multi.digest);
  });
});
