import { Digest } from '../../../oci/digest.js';
import type { Reference } from '../../../oci/reference.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { ServerAddress } from '../../../observability/clients/mirror-address.js';

/** How one client pulls something from this server. */
export interface PullCommand {
  readonly client: string;
  readonly command: string;
}

/** Where a client finds something here; undefined where no image name can say it. */
export interface PullSource {
  /** `host[:port]/namespace/name`. */
  readonly name: string;
  readonly reference: Reference;
  readonly isTls: boolean;
}

/** Undefined where the namespace has a port, which has no place inside of an image name. */
export function pullSource(
  server: ServerAddress | undefined,
  { namespace, name }: RepositoryRef,
  reference: Reference,
): PullSource | undefined {
  if (!server) return undefined;
  const { host, isTls } = server;
  const isOwn = host === namespace.toString();
  if (!isOwn && namespace.port !== undefined) return undefined;
  const path = isOwn ? name : `${namespace.toString()}/${name}`;
  return { name: `${host}/${path}`, reference, isTls };
}

/** Of an image, client by client. Names, tags and digests need no quotes in a shell. */
export function imageCommands(source: PullSource): PullCommand[] {
  const image = imageOf(source);
  const insecure = (flag: string) => (source.isTls ? '' : ` ${flag}`);
  return [
    { client: 'Docker', command: `docker pull ${image}` },
    { client: 'Podman', command: `podman pull${insecure('--tls-verify=false')} ${image}` },
    { client: 'Buildah', command: `buildah pull${insecure('--tls-verify=false')} ${image}` },
    { client: 'Skopeo', command: `skopeo copy${insecure('--src-tls-verify=false')} docker://${image} dir:image` },
    { client: 'containerd', command: `ctr images pull${insecure('--plain-http')} ${image}` },
    { client: 'nerdctl', command: `nerdctl pull${insecure('--insecure-registry')} ${image}` },
    { client: 'Kubernetes nodes (CRI-O, k3s, Talos, kind)', command: `crictl pull ${image}` },
    { client: 'A pod', command: `image: ${image}` },
    { client: 'A Dockerfile (BuildKit)', command: `FROM ${image}` },
    ...otherCommands(source),
  ];
}

/** Of a Helm chart. A version has a plus sign where its tag has an underscore. */
export function chartCommands(source: PullSource): PullCommand[] {
  const { name, reference, isTls } = source;
  const http = isTls ? '' : ' --plain-http';
  const command =
    reference instanceof Digest
      ? `helm pull${http} oci://${name}@${reference.toString()}`
      : `helm pull${http} oci://${name} --version ${reference.name.replaceAll('_', '+')}`;
  return [{ client: 'Helm', command }, ...artifactCommands(source)];
}

/** Of anything else. */
export function artifactCommands(source: PullSource): PullCommand[] {
  const { isTls } = source;
  const image = imageOf(source);
  return [
    { client: 'ORAS', command: `oras pull${isTls ? '' : ' --plain-http'} ${image}` },
    {
      client: 'Skopeo',
      command: `skopeo copy${isTls ? '' : ' --src-tls-verify=false'} docker://${image} dir:artifact`,
    },
    ...otherCommands(source).filter(({ client }) => client !== 'ORAS'),
  ];
}

function otherCommands(source: PullSource): PullCommand[] {
  const { isTls } = source;
  const image = imageOf(source);
  return [
    { client: 'ORAS', command: `oras copy${isTls ? '' : ' --from-plain-http'} --to-oci-layout ${image} layout:latest` },
    { client: 'crane', command: `crane pull${isTls ? '' : ' --insecure'} ${image} image.tar` },
    {
      client: 'regctl',
      command: `regctl image export${isTls ? '' : ` --host reg=${source.name.split('/')[0]},tls=disabled`} ${image} image.tar`,
    },
  ];
}

function imageOf({ name, reference }: PullSource): string {
  return `${name}${reference instanceof Digest ? '@' : ':'}${reference.toString()}`;
}
