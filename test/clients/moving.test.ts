import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { HostedServer } from './support/hosted-server.js';
import { movingCommand } from './support/moving-command.js';
import { run } from './support/process.js';
import { pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

describe('images that are moved', () => {
  const images = inject('images');
  let scratch: Scratch;
  let server: HostedServer;
  let clients: Record<string, PushingClient>;
  const environment = () => ({ HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker') });
  const move = (...args: string[]) => movingCommand(server, args);
  const skopeo = (...args: string[]) => run('skopeo', ['--insecure-policy', 'copy', '--quiet', ...args]);
  const crane = (...args: string[]) => run('crane', ['--insecure', ...args], { environment: environment() });

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch);
    clients = await pushingClients(scratch);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  test('from the folder of docker-registry have its digests', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    await move('import', inject('filledRegistry'), 'local/folder');
    for (const image of [images.multi, images.schema2, images.big])
      expect(await crane('digest', server.name(`folder/${image.repository}:${image.tag}`))).toBe(image.digest);
    expect(await clients.crane!.pull(server.name('folder/library/multi:1'))).toBe(images.multi.digest);
  });

  test('from a layout and an archive of skopeo have its digests', async () => {
    await skopeo('--all', images.multi.source, `oci:${scratch.file('layout')}:1`);
    await move('import', scratch.file('layout'), 'local/layout');
    expect(await clients.skopeo!.pull(server.name('layout:1'))).toBe(images.multi.digest);
    await skopeo('--all', images.multi.source, `oci-archive:${scratch.file('layout.tar')}:1`);
    await move('import', scratch.file('layout.tar'), 'local/archive');
    expect(await clients.skopeo!.pull(server.name('archive:1'))).toBe(images.multi.digest);
  });

  test('as docker save and crane write them can be pulled', async () => {
    const saved = scratch.file('saved.tar');
    await skopeo(images.schema2.source, `docker-archive:${saved}:example.com/saved:1`);
    await move('import', saved, 'local/');
    const digest = await crane('digest', server.name('saved:1'));
    // crane takes every layer for compressed when it validates, and podman names the image that it has.
    for (const client of ['skopeo', 'oras', 'regctl'])
      expect(await clients[client]!.pull(server.name('saved:1'))).toBe(digest);
    await clients.podman!.pull(server.name('saved:1'));
    await crane('pull', '--platform', 'linux/amd64', server.name('layout:1'), scratch.file('crane.tar'));
    await move('import', scratch.file('crane.tar'), 'local/crane:1');
    await crane('validate', '--remote', server.name('crane:1'));
  });

  test('out of a repository are read by every client, with what ORAS attached', async () => {
    await move('import', '--tag', '1', inject('filledRegistry'), '--repository', 'library/multi', 'local/out');
    await writeFile(scratch.file('sbom.json'), '{"sbom":true}');
    const attach = ['attach', '--artifact-type', 'application/vnd.example.sbom', '--no-tty', '--plain-http'];
    const options = { environment: environment(), directory: scratch.path };
    const target = server.name('out/library/multi:1');
    await run('oras', [...attach, target, 'sbom.json:application/json'], options);
    const layout = scratch.file('exported');
    await move('export', 'local/out/library/multi', layout);
    await skopeo('--all', '--preserve-digests', `oci:${layout}:1`, `dir:${scratch.file('read')}`);
    await crane('validate', '--tarball', await asTarball(layout));
    expect(await run('oras', ['resolve', '--oci-layout', `${layout}:1`], options)).toBe(images.multi.digest);
    expect(await run('oras', ['discover', '--oci-layout', `${layout}:1`], options)).toContain('vnd.example.sbom');
    expect(await run('regctl', ['image', 'digest', `ocidir://${layout}:1`], options)).toBe(images.multi.digest);
    await move('export', 'local/out/library/multi:1', `${layout}.tar`);
    await move('import', `${layout}.tar`, 'local/again');
    expect(await run('oras', ['discover', '--plain-http', server.name('again:1')], options)).toContain(
      'vnd.example.sbom',
    );
    expect(JSON.parse(await readFile(`${layout}/index.json`, 'utf8'))).toMatchObject({ schemaVersion: 2 });
  });

  /** crane validates what docker save writes. */
  async function asTarball(layout: string): Promise<string> {
    const path = scratch.file('validated.tar');
    await skopeo(`oci:${layout}:1`, `docker-archive:${path}:example.com/validated:1`);
    return path;
  }
});
