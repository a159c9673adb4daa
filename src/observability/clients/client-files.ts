import type { MirrorAddress } from './mirror-address.js';

/** `resolve` and `pull` only: without `capabilities` containerd would push to the mirror too. */
export function hostsToml({ url }: MirrorAddress, namespace?: string): string {
  const host = namespace === 'docker.io' ? 'registry-1.docker.io' : namespace;
  return [
    ...(host === undefined ? [] : [`server = "https://${host}"`, '']),
    `[host."${url}"]`,
    '  capabilities = ["pull", "resolve"]',
    '  dial_timeout = "2s"',
    '',
  ].join('\n');
}

export function registriesConf({ host, isTls, namespaces }: MirrorAddress): string {
  const blocks = namespaces.map((namespace) =>
    [
      '[[registry]]',
      `prefix = "${namespace}"`,
      `location = "${namespace}"`,
      '',
      '[[registry.mirror]]',
      `location = "${host}/${namespace}"`,
      ...(isTls ? [] : ['insecure = true']),
      '',
    ].join('\n'),
  );
  return blocks.join('\n');
}

export function buildkitToml({ host, isTls, namespaces }: MirrorAddress): string {
  const registries = namespaces.map((namespace) => `[registry."${namespace}"]\n  mirrors = ["${host}"]\n`);
  return [...registries, ...(isTls ? [] : [`[registry."${host}"]\n  http = true\n`])].join('\n');
}

export function regctlCommands({ host, isTls }: MirrorAddress, namespace: string): string {
  const tls = isTls ? '' : '--tls disabled ';
  return [
    `regctl registry set ${namespace}.mirror --hostname ${host} --path-prefix ${namespace} ${tls}--skip-check`,
    `regctl registry set ${namespace} --mirror ${namespace}.mirror --skip-check`,
    '',
  ].join('\n');
}
