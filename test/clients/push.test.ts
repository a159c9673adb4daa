import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { DockerEngine } from './support/docker.js';
import { HostedServer } from './support/hosted-server.js';
import type { Image } from './support/images.js';
import { run } from './support/process.js';
import { pushingClients, type PushingClient } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';

const names = ['skopeo', 'crane', 'oras', 'regctl', 'podman', 'buildah'] as const;
/** Those that copy an image as it is; the others compress its layers anew. */
const copying = new Set<string>(['skopeo', 'crane', 'oras', 'regctl']);

describe('an image that a client pushes', () => {
  const images = inject('images');
  let scratch: Scratch;
  let server: HostedServer;
  let clients: Record<string, PushingClient>;

  beforeAll(async () => {
    scratch = await Scratch.open();
    server = await HostedServer.start(scratch);
    clients = await pushingClients(scratch);
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  /** A layout that has nothing but the image. */
  const layoutOf = async (image: Image, platforms: 'all' | 'one') => {
    const layout = scratch.file(`layout-${image.tag}-${image.digest.slice(7, 19)}-${platforms}`);
    const all = platforms === 'all' ? ['--all'] : [];
    await run('skopeo', ['--insecure-policy', 'copy', '--quiet', ...all, image.source, `oci:${layout}:it`]);
    return layout;
  };

  const pullWithAll = async (name: string, except: string) => {
    const digests: Record<string, string> = {};
    for (const other of names) if (other !== except) digests[other] = await clients[other]!.pull(name);
    return digests;
  };

  test.each(names)('with %s is pulled by every other', async (name) => {
    onTestFailed(async () => console.error(await server.logTail()));
    const isCopied = copying.has(name);
    const target = server.name(`${name}/multi:1`);
    await clients[name]!.push(await layoutOf(images.multi, isCopied ? 'all' : 'one'), target);
    const digests = await pullWithAll(target, name);
    // podman and buildah take one platform of an index, and name that or the index.
    const whole = Object.entries(digests).filter(([other]) => copying.has(other));
    expect(new Set(whole.map(([, digest]) => digest)).size).toBe(1);
    if (isCopied) expect(whole[0]![1]).toBe(images.multi.digest);
    expect(Object.keys(digests)).toHaveLength(names.length - 1);
  });

  test.each(['skopeo', 'crane', 'oras', 'regctl'] as const)('with %s may have a layer of 200 MB', async (name) => {
    onTestFailed(async () => console.error(await server.logTail()));
    const target = server.name(`${name}/big:1`);
    await clients[name]!.push(await layoutOf(images.big, 'all'), target);
    expect(await clients.skopeo!.pull(target)).toBe(images.big.digest);
  });

  test('again costs no blob, and into another repository is mounted', async () => {
    const layout = await layoutOf(images.multi, 'all');
    const bodies = async () => (await server.requests()).filter(({ method }) => method === 'PATCH').length;
    await clients.crane!.push(layout, server.name('again/multi:1'));
    const before = await bodies();
    await clients.crane!.push(layout, server.name('again/multi:2'));
    expect(await bodies()).toBe(before);
    const environment = { DOCKER_CONFIG: scratch.file('no-docker') };
    const copy = ['--insecure', 'copy', server.name('again/multi:1'), server.name('mounted/multi:1')];
    await run('crane', copy, { environment });
    expect(await bodies()).toBe(before);
    expect(await clients.skopeo!.pull(server.name('mounted/multi:1'))).toBe(images.multi.digest);
  });

  test('has artifacts that ORAS attaches, and regctl finds', async () => {
    await clients.skopeo!.push(await layoutOf(images.multi, 'all'), server.name('artifacts/multi:1'));
    await writeFile(scratch.file('sbom.json'), '{"sbom":true}');
    const environment = { HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker') };
    const type = ['--artifact-type', 'application/vnd.example.sbom', '--no-tty', '--plain-http'];
    const target = server.name('artifacts/multi:1');
    const options = { environment, directory: scratch.path };
    await run('oras', ['attach', ...type, target, 'sbom.json:application/json'], options);
    const found = await run('oras', ['discover', '--plain-http', '--format', 'json', target], options);
    expect(found).toContain('application/vnd.example.sbom');
    const listed = await run('regctl', ['artifact', 'list', target], {
      environment: { ...environment, REGCTL_CONFIG: scratch.file('home/regctl.json') },
    });
    expect(listed).toContain('application/vnd.example.sbom');
  });

  test('can be deleted with crane, regctl, skopeo and ORAS', async () => {
    const layout = await layoutOf(images.schema2, 'all');
    const environment = { DOCKER_CONFIG: scratch.file('no-docker'), REGCTL_CONFIG: scratch.file('home/regctl.json') };
    const target = (name: string) => server.name(`deleted/${name}:1`);
    const deletions: Record<string, () => Promise<string>> = {
      crane: () => run('crane', ['--insecure', 'delete', target('crane')], { environment }),
      regctl: () => run('regctl', ['tag', 'delete', target('regctl')], { environment }),
      skopeo: () => run('skopeo', ['delete', '--tls-verify=false', `docker://${target('skopeo')}`], { environment }),
      oras: () => run('oras', ['manifest', 'delete', '--plain-http', '--force', target('oras')], { environment }),
    };
    for (const [name, remove] of Object.entries(deletions)) {
      await clients.skopeo!.push(layout, target(name));
      await remove();
      await expect(clients.crane!.pull(target(name)), name).rejects.toThrow();
    }
  });

  test('is a chart of Helm, too', async () => {
    const environment = { HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker') };
    const helm = (...args: string[]) => run('helm', args, { environment, directory: scratch.path });
    const chart = await scratch.folder('chart', 'templates');
    await writeFile(`${chart}/note.yaml`, 'kind: ConfigMap\napiVersion: v1\nmetadata: { name: note }\n');
    await writeFile(`${chart}/../Chart.yaml`, 'apiVersion: v2\nname: app\nversion: 1.2.3\n');
    await helm('package', 'chart');
    await helm('push', 'app-1.2.3.tgz', `oci://${server.name('charts')}`, '--plain-http');
    const folder = await scratch.folder('charts');
    await helm(
      'pull',
      `oci://${server.name('charts/app')}`,
      '--version',
      '^1',
      '--plain-http',
      '--destination',
      folder,
    );
  });

  test('with Docker Engine is pulled by every other, and by Docker', async () => {
    onTestFailed(async () => console.error(await server.logTail()));
    const engine = await DockerEngine.pushing(scratch);
    const archive = scratch.file('image.tar');
    const target = server.name('docker/app:1');
    const source = `oci:${await layoutOf(images.multi, 'one')}:it`;
    await run('skopeo', ['--insecure-policy', 'copy', '--quiet', source, `docker-archive:${archive}:${target}`]);
    await engine.push(archive, target);
    const digests = await pullWithAll(target, 'none');
    // podman and buildah name an image that they have by the digest under which it came first.
    const copied = Object.entries(digests).filter(([other]) => copying.has(other));
    expect(new Set(copied.map(([, digest]) => digest)).size).toBe(1);
    expect(await engine.pullAgain(target)).toContain(digests.skopeo);
    // The same layers in another repository are mounted; Docker sends the configuration again.
    const before = (await server.requests()).filter(({ method }) => method === 'PATCH').length;
    await engine.pushAs(target, server.name('docker/other:1'));
    const after = (await server.requests()).filter(({ method }) => method === 'PATCH').length;
    expect(after - before).toBeLessThanOrEqual(1);
    expect(await clients.crane!.pull(server.name('docker/other:1'))).toBe(digests.crane);
  });
});
