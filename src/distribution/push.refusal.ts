import { OciError } from '../oci/error.js';
import { foldTarget, malformed, originForm, type NamespaceRules } from './request-target.js';

/** What clients that push ask for, and nobody else: uploads have no route, so their repository is found by another one. */
const upload = /\/blobs\/uploads\/?[^/]*$/;

/**
 * The refusal of a request that would write: says whose content it is, so that nobody looks for a missing permission.
 * @param url of the request, as the client sent it.
 */
export function pushRefusal(url: string, rules: NamespaceRules): OciError {
  const [path = '', query] = originForm(url).split('?', 2);
  const read = `${path.replace(upload, '/manifests/latest')}${query === undefined ? '' : `?${query}`}`;
  const [, repository] = /^\/v2\/([^/]+%2F[^/]+)\//.exec(foldTarget(read, rules)) ?? [];
  const [namespace] = repository === undefined ? [] : decodeURIComponent(repository).split('/', 1);
  // Content is pushed to it, by other methods and paths.
  if (namespace !== undefined && rules.hosted?.has(namespace) === true) return new OciError('UNSUPPORTED');
  const whose = namespace === undefined || namespace === malformed ? 'registries are' : `${namespace} is`;
  return new OciError('UNSUPPORTED', `${whose} mirrored here, for pulls only: push to the registry itself`);
}

/** Whether a request names a repository by one of the URL shapes of the distribution specification. */
export function isDistributionPath(url: string): boolean {
  return /^\/(?:[^/]+\/)?v2(?:\/|$)/.test(originForm(url));
}
