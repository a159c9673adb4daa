const reading = ['GET', 'HEAD'];
const hosted: readonly [endpoint: RegExp, methods: readonly string[]][] = [
  [/^manifests\/[^/]+$/, [...reading, 'PUT', 'DELETE']],
  [/^blobs\/uploads$/, ['POST']],
  [/^blobs\/uploads\/[^/]+$/, [...reading, 'PATCH', 'PUT', 'DELETE']],
  [/^blobs\/[^/]+$/, [...reading, 'DELETE']],
];

/**
 * The Allow header of a refused method (RFC 9110 §10.2.1).
 * @param target as `foldTarget` made it.
 * @param namespaces that content can be pushed to.
 */
export function allowedMethods(target: string, method: string, namespaces?: ReadonlySet<string>): string {
  const [, repository, endpoint = ''] = /^\/v2\/([^/?]+)\/([^?]+)/.exec(target) ?? [];
  const [namespace = ''] = decodeURIComponent(repository ?? '').split('/', 1);
  const all = namespaces?.has(namespace) === true ? hosted.find(([pattern]) => pattern.test(endpoint))?.[1] : undefined;
  return (all ?? reading).filter((each) => each !== method).join(', ');
}
