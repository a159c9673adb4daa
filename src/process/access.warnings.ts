import { parseHtpasswd } from '../access/authenticators/htpasswd.js';
import { parseRobots } from '../access/authenticators/robots.js';
import { warningsOf } from '../access/rules/rule.warnings.js';
import { readRegularFile } from '../config/files/regular.file.js';
import type { Settings } from '../config/settings.js';

/** What in the access file can never have an effect. Never throws: a file that cannot be read gives no warnings. */
export async function accessWarnings({ access, server, upstreams, hosted }: Settings): Promise<string[]> {
  if (!access) return [];
  const configured = upstreams.map(({ namespace }) => namespace);
  const hostedNames = hosted.map(({ namespace }) => namespace);
  const mirrored = ['docker.io', server.defaultNamespace, ...configured].filter((name) => !hostedNames.includes(name));
  const mirrorsUnknown = server.unknownNamespaces === 'mirror' || server.allowNamespaces.length > 0;
  const isIdle = access.clientCertificates && server.tlsCert === undefined;
  const own = isIdle ? ['access.client_certificates: has no effect without --tls-cert and --tls-key'] : [];
  const names = {
    users: await namesIn(access.usersFile, (text) => parseHtpasswd(text).hashes),
    robots: await namesIn(access.robotsFile, parseRobots),
  };
  return [...own, ...warningsOf(access, { hosted: hostedNames, mirrored, mirrorsUnknown }, names)];
}

/** Whoever signs people in reports what is wrong with the file. */
async function namesIn(
  path: string | undefined,
  parse: (text: string) => ReadonlyMap<string, unknown>,
): Promise<ReadonlySet<string> | undefined> {
  if (path === undefined) return undefined;
  try {
    return new Set(parse(await readRegularFile(path)).keys());
  } catch {
    return undefined;
  }
}
