import { buildkitToml, hostsToml, regctlCommands, registriesConf } from './client-files.js';
import type { MirrorAddress } from './mirror-address.js';

export type SnippetLanguage = 'json' | 'toml' | 'yaml' | 'sh';

/** Ready-to-paste configuration of one client. */
export interface ClientSnippet {
  /** Name of the client, and of its page in docs/clients. */
  readonly client: string;
  readonly title: string;
  /** Path of the file with this text; undefined if the text is a command. */
  readonly file: string | undefined;
  readonly language: SnippetLanguage;
  /** Ends with a newline. */
  readonly text: string;
  /** A command that shows whether it works. */
  readonly check: string;
}

/** The configuration of every client, in the order of the status page. The pages in docs/clients show the same. */
export function clientSnippets(mirror: MirrorAddress): ClientSnippet[] {
  return [
    ...docker(mirror),
    ...containerd(mirror),
    ...k3s(mirror),
    podman(mirror),
    crio(mirror),
    buildkit(mirror),
    ...kind(mirror),
    ...talos(mirror),
    helm(mirror),
    oras(mirror),
    crane(mirror),
    regctl(mirror),
  ];
}

const docker = (mirror: MirrorAddress): ClientSnippet[] => [
  // Docker's requests to `registry-mirrors` name no registry, and are always for Docker Hub.
  ...(mirror.defaultNamespace === 'docker.io' ? [dockerHub(mirror)] : []),
  {
    client: 'docker',
    title: `Docker Engine 28 and newer with the containerd image store: ${example(mirror)}`,
    file: `/etc/docker/certs.d/${example(mirror)}/hosts.toml`,
    language: 'toml',
    text: hostsToml(mirror, example(mirror)),
    check: `docker pull ${example(mirror)}/org/app:1.0`,
  },
];

const dockerHub = (mirror: MirrorAddress): ClientSnippet => ({
  client: 'docker',
  title: 'Docker Engine: Docker Hub',
  file: '/etc/docker/daemon.json',
  language: 'json',
  text: `{ "registry-mirrors": ["${mirror.url}"] }\n`,
  check: "docker info --format '{{.RegistryConfig.Mirrors}}'",
});

const containerd = (mirror: MirrorAddress): ClientSnippet[] => [
  {
    client: 'containerd',
    title: 'containerd: every registry',
    file: '/etc/containerd/certs.d/_default/hosts.toml',
    language: 'toml',
    text: hostsToml(mirror),
    check: `ctr images pull --hosts-dir /etc/containerd/certs.d ${example(mirror)}/org/app:1.0`,
  },
  {
    client: 'containerd',
    title: `containerd: only ${example(mirror)}`,
    file: `/etc/containerd/certs.d/${example(mirror)}/hosts.toml`,
    language: 'toml',
    text: hostsToml(mirror, example(mirror)),
    check: `ctr images pull --hosts-dir /etc/containerd/certs.d ${example(mirror)}/org/app:1.0`,
  },
];

const k3s = (mirror: MirrorAddress): ClientSnippet[] =>
  (['k3s', 'rke2'] as const).map((distribution) => ({
    client: 'k3s',
    title: `${distribution === 'k3s' ? 'k3s' : 'RKE2'}: every registry`,
    file: `/etc/rancher/${distribution}/registries.yaml`,
    language: 'yaml',
    text: `mirrors:\n  '*':\n    endpoint:\n      - ${mirror.url}\n`,
    check: `crictl pull ${example(mirror)}/org/app:1.0`,
  }));

const podman = (mirror: MirrorAddress): ClientSnippet => ({
  client: 'podman',
  title: 'podman, skopeo, buildah',
  file: '/etc/containers/registries.conf.d/50-mirror.conf',
  language: 'toml',
  text: registriesConf(mirror),
  check: `podman pull ${example(mirror)}/org/app:1.0`,
});

const crio = (mirror: MirrorAddress): ClientSnippet => ({
  ...podman(mirror),
  client: 'cri-o',
  title: 'CRI-O',
  check: `crictl pull ${example(mirror)}/org/app:1.0`,
});

const buildkit = (mirror: MirrorAddress): ClientSnippet => ({
  client: 'buildkit',
  title: 'BuildKit',
  file: '/etc/buildkit/buildkitd.toml',
  language: 'toml',
  text: buildkitToml(mirror),
  check: `echo 'FROM ${example(mirror)}/org/app:1.0' | docker buildx build --builder mirrored --output type=local,dest=out -`,
});

const kind = (mirror: MirrorAddress): ClientSnippet[] => [
  {
    client: 'kind',
    title: 'kind: the cluster',
    file: 'kind.yaml',
    language: 'yaml',
    text: [
      'kind: Cluster',
      'apiVersion: kind.x-k8s.io/v1alpha4',
      'nodes:',
      '  - role: control-plane',
      '    extraMounts:',
      '      - hostPath: /srv/kind/certs.d',
      '        containerPath: /etc/containerd/certs.d',
      '        readOnly: true',
      '',
    ].join('\n'),
    check: 'kind create cluster --config kind.yaml',
  },
  {
    client: 'kind',
    title: 'kind: every registry',
    file: '/srv/kind/certs.d/_default/hosts.toml',
    language: 'toml',
    text: hostsToml(mirror),
    check: `docker exec kind-control-plane crictl pull ${example(mirror)}/org/app:1.0`,
  },
];

const talos = (mirror: MirrorAddress): ClientSnippet[] => [
  {
    client: 'talos',
    title: 'Talos 1.12 and newer: every registry',
    file: 'mirror.yaml',
    language: 'yaml',
    text: [
      'apiVersion: v1alpha1',
      'kind: RegistryMirrorConfig',
      "name: '*'",
      'endpoints:',
      `  - url: ${mirror.url}`,
      '',
    ].join('\n'),
    check: 'talosctl patch machineconfig --patch @mirror.yaml',
  },
  {
    client: 'talos',
    title: 'Talos before 1.12: every registry',
    file: 'mirror.yaml',
    language: 'yaml',
    text: [
      'machine:',
      '  registries:',
      '    mirrors:',
      "      '*':",
      '        endpoints:',
      `          - ${mirror.url}`,
      '',
    ].join('\n'),
    check: 'talosctl patch machineconfig --patch @mirror.yaml',
  },
];

const helm = (mirror: MirrorAddress): ClientSnippet =>
  command(mirror, 'helm', 'Helm: a chart', {
    text: (name) => `helm pull oci://${name('charts/app')} --version 1.0.0${mirror.isTls ? '' : ' --plain-http'}`,
    check: (name) =>
      `helm show chart oci://${name('charts/app')} --version 1.0.0${mirror.isTls ? '' : ' --plain-http'}`,
  });

const oras = (mirror: MirrorAddress): ClientSnippet =>
  command(mirror, 'oras', 'ORAS: an artifact', {
    text: (name) => `oras pull${mirror.isTls ? '' : ' --plain-http'} ${name('org/artifact')}:1.0`,
    check: (name) =>
      `oras manifest fetch${mirror.isTls ? '' : ' --plain-http'} --descriptor ${name('org/artifact')}:1.0`,
  });

const crane = (mirror: MirrorAddress): ClientSnippet =>
  command(mirror, 'crane', 'crane: an image', {
    text: (name) => `crane pull${mirror.isTls ? '' : ' --insecure'} ${name('org/app')}:1.0 app.tar`,
    check: (name) => `crane digest${mirror.isTls ? '' : ' --insecure'} ${name('org/app')}:1.0`,
  });

/** regctl needs a mirror entry per registry, because the path prefix is part of the entry. */
const regctl = (mirror: MirrorAddress): ClientSnippet => ({
  client: 'regctl',
  title: 'regctl: its registries',
  file: undefined,
  language: 'sh',
  text: mirror.namespaces.map((namespace) => regctlCommands(mirror, namespace)).join(''),
  check: `regctl image digest ${example(mirror)}/org/app:1.0`,
});

interface Command {
  readonly text: (name: (repository: string) => string) => string;
  readonly check: (name: (repository: string) => string) => string;
}

/** For clients without mirror support: the mirror is part of the image name. */
function command(mirror: MirrorAddress, client: string, title: string, { text, check }: Command): ClientSnippet {
  const name = (repository: string) => `${mirror.host}/${example(mirror)}/${repository}`;
  return { client, title, file: undefined, language: 'sh', text: `${text(name)}\n`, check: check(name) };
}

/** The registry in examples: not Docker Hub if there is another, because the names of others show the registry. */
function example({ namespaces }: MirrorAddress): string {
  return namespaces.find((namespace) => namespace !== 'docker.io') ?? namespaces[0] ?? 'docker.io';
}
