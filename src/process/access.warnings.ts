import { warningsOf } from '../access/rules/rule.warnings.js';
import type { Settings } from '../config/settings.js';

/** What in the rules of the access file can never have an effect. */
export function accessWarnings({ access, server, upstreams, hosted }: Settings): string[] {
  if (!access) return [];
  const configured = upstreams.map(({ namespace }) => namespace);
  const hostedNames = hosted.map(({ namespace }) => namespace);
  const mirrored = ['docker.io', server.defaultNamespace, ...configured].filter((name) => !hostedNames.includes(name));
  const mirrorsUnknown = server.unknownNamespaces === 'mirror' || server.allowNamespaces.length > 0;
  const isIdle = access.clientCertificates && server.tlsCert === undefined;
  const own = isIdle ? ['access.client_certificates: has no effect without --tls-cert and --tls-key'] : [];
  return [...own, ...warningsOf(access, { hosted: hostedNames, mirrored, mirrorsUnknown })];
}
