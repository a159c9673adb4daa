import { describe, expect, it } from 'vitest';
import { parseReference } from '../../../oci/reference.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { artifactCommands, chartCommands, imageCommands, pullSource } from './pull-commands.js';

const mirror = {
  url: '',
  host: 'mirror.test:5000',
  isTls: true,
  namespaces: ['docker.io'],
  defaultNamespace: 'docker.io',
};
const source = (name: string, reference = 'v1', address = mirror) =>
  pullSource(address, RepositoryRef.parse(name), parseReference(reference));
const digest = `sha256:${'a'.repeat(64)}`;

describe('the command that pulls', () => {
  it('names the registry behind the mirror, and not its own name twice', () => {
    expect(source('docker.io/busybox')?.name).toBe('mirror.test:5000/docker.io/library/busybox');
    expect(source('mirror.test:5000/team/app')?.name).toBe('mirror.test:5000/team/app');
    expect(source('local/team/app')?.name).toBe('mirror.test:5000/local/team/app');
    expect(source('other.test:5001/team/app')).toBeUndefined();
    expect(pullSource(undefined, RepositoryRef.parse('local/app'), parseReference('v1'))).toBeUndefined();
  });

  it('of an image is there for every client, by tag and by digest, with and without TLS', () => {
    const commands = (reference: string, isTls: boolean) =>
      imageCommands(source('docker.io/busybox', reference, { ...mirror, isTls })!).map(({ command }) => command);
    expect(commands('v1', true).slice(0, 2)).toEqual([
      'docker pull mirror.test:5000/docker.io/library/busybox:v1',
      'podman pull mirror.test:5000/docker.io/library/busybox:v1',
    ]);
    expect(commands(digest, true)[0]).toBe(`docker pull mirror.test:5000/docker.io/library/busybox@${digest}`);
    expect(commands('v1', false).join('\n')).toMatchInlineSnapshot(`
      "docker pull mirror.test:5000/docker.io/library/busybox:v1
      podman pull --tls-verify=false mirror.test:5000/docker.io/library/busybox:v1
      buildah pull --tls-verify=false mirror.test:5000/docker.io/library/busybox:v1
      skopeo copy --src-tls-verify=false docker://mirror.test:5000/docker.io/library/busybox:v1 dir:image
      ctr images pull --plain-http mirror.test:5000/docker.io/library/busybox:v1
      nerdctl pull --insecure-registry mirror.test:5000/docker.io/library/busybox:v1
      crictl pull mirror.test:5000/docker.io/library/busybox:v1
      image: mirror.test:5000/docker.io/library/busybox:v1
      FROM mirror.test:5000/docker.io/library/busybox:v1
      oras copy --from-plain-http --to-oci-layout mirror.test:5000/docker.io/library/busybox:v1 layout:latest
      crane pull --insecure mirror.test:5000/docker.io/library/busybox:v1 image.tar
      regctl image export --host reg=mirror.test:5000,tls=disabled mirror.test:5000/docker.io/library/busybox:v1 image.tar"
    `);
  });

  it('of a chart has its version', () => {
    const [helm] = chartCommands(source('local/charts/app', '1.2.3_build.4')!);
    expect(helm?.command).toBe('helm pull oci://mirror.test:5000/local/charts/app --version 1.2.3+build.4');
    const [byDigest] = chartCommands(source('local/charts/app', digest)!);
    expect(byDigest?.command).toBe(`helm pull oci://mirror.test:5000/local/charts/app@${digest}`);
  });

  it('of anything else is that of ORAS first', () => {
    const clients = artifactCommands(source('local/app')!).map(({ client }) => client);
    expect(clients).toEqual(['ORAS', 'Skopeo', 'crane', 'regctl']);
  });
});
