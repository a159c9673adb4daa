import { Namespace } from '../../oci/namespace.js';

/**
 * The name of a repository at a host, so that `<host>/<name>` is a reference that clients of the host can pull: the
 * namespace is left out where it is the host itself.
 * @param repository namespace and name
 */
export function clientName(repository: string, host: string | undefined): string {
  const slash = repository.indexOf('/');
  return host !== undefined && canonical(host) === repository.slice(0, slash)
    ? repository.slice(slash + 1)
    : repository;
}

function canonical(host: string): string | undefined {
  try {
    return Namespace.parse(host).toString();
  } catch {
    return undefined;
  }
}
