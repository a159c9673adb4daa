import { Namespace } from '../oci/namespace.js';

/** What the resolution of a URL depends on. */
export interface NamespaceRules {
  /** Namespace of requests that name none. */
  readonly defaultNamespace: string;
  /** Canonical names of configured namespaces; they count as hosts in paths even without a dot. */
  readonly configured: ReadonlySet<string>;
}

/**
 * Folds the repository of a distribution request into one path segment, so that ordinary routes match:
 * `/v2/<namespace>%2F<name>/manifests/<reference>`. The five shapes in which clients name a namespace (`?ns=`, host as
 * first path component, host before `/v2/`, both, none) give the same target. Everything is decoded exactly once, before
 * any check; text that names no repository stays malformed, and the parameter pipes refuse it.
 * A path of no distribution endpoint is encoded again: the router decodes too and ends a path at `#`, and must not read
 * a folded target out of what a client wrote.
 */
export function foldTarget(url: string, rules: NamespaceRules): string {
  const target = originForm(url);
  const mark = target.indexOf('?');
  const path = decodePath(mark === -1 ? target : target.slice(0, mark));
  const query = mark === -1 ? '' : target.slice(mark);
  const { root = '/v2', host, rest } = splitRoot(path, rules);
  if (rest === '' && root === '/v2') return `/v2${query}`;
  const endpoint = rest === undefined ? undefined : endpointOf(rest);
  if (!endpoint) return path.split('/').map(encodeURIComponent).join('/') + query;
  const repository = repositoryOf(endpoint.name, host, namespaceOf(query), rules);
  return `${root}/${segment(repository)}/${endpoint.noun}/${segment(endpoint.reference)}${query}`;
}

/** Path and query of a request target; servers must accept the absolute form too (RFC 9112 §3.2.2). */
export function originForm(url: string): string {
  return url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
}

/** Removal routes below it name repositories as `/v2/` does. */
const adminRoot = '/_admin';

/** What follows `/v2/`, and the host before it when there is one (`/ghcr.io/v2/…`, Docker's registry-mirrors with a path). */
function splitRoot(path: string, rules: NamespaceRules): { root?: string; host?: string; rest?: string } {
  if (path.startsWith(`${adminRoot}/`)) return { root: adminRoot, rest: path.slice(`${adminRoot}/`.length) };
  if (path === '/v2' || path.startsWith('/v2/')) return { rest: path.slice('/v2/'.length) };
  const [, host, rest = ''] = /^\/([^/]+)\/v2(?:\/(.*))?$/s.exec(path) ?? [];
  return host !== undefined && isHost(host, rules) ? { host, rest } : {};
}

/** The endpoint below a repository, searched from the right: a name may contain the name of an endpoint. */
function endpointOf(rest: string): { name: string; noun: string; reference: string } | undefined {
  const [, name, noun, reference] = /^(.+)\/(manifests|blobs|referrers|tags(?=\/list$))\/([^/]*)$/s.exec(rest) ?? [];
  return name === undefined || noun === undefined || reference === undefined ? undefined : { name, noun, reference };
}

function repositoryOf(name: string, host: string | undefined, ns: string | undefined, rules: NamespaceRules): string {
  const fromQuery = ns === undefined ? undefined : canonical(ns);
  if (host !== undefined) {
    // Two different registries in one request are ambiguous.
    const isAmbiguous = fromQuery !== undefined && fromQuery !== canonical(host);
    return `${isAmbiguous ? malformed : canonical(host)}/${name}`;
  }
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const remainder = name.slice(slash + 1);
  if (fromQuery !== undefined) {
    // BuildKit and override_path name the host twice; strip it once.
    return `${fromQuery}/${first !== '' && canonical(first) === fromQuery ? remainder : name}`;
  }
  return isHost(first, rules) ? `${canonical(first)}/${remainder}` : `${canonical(rules.defaultNamespace)}/${name}`;
}

/** Every parser refuses it; stands for text that names nothing. */
export const malformed = '!';

function isHost(component: string, { configured }: NamespaceRules): boolean {
  return component !== '' && (Namespace.looksLikeHost(component) || configured.has(canonical(component)));
}

function canonical(text: string): string {
  try {
    return Namespace.parse(text).toString();
  } catch {
    return malformed;
  }
}

/** The `ns` parameter; an empty one counts as absent, several are malformed. */
function namespaceOf(query: string): string | undefined {
  if (!query.includes('ns=') && !query.includes('%')) return undefined;
  const all = new URLSearchParams(query).getAll('ns').filter((value) => value !== '');
  return all.length > 1 ? malformed : all[0];
}

/** Longest text that can name a repository, a tag or a digest; encoded, it must fit into the router's `maxParamLength`. */
const longestSegment = 600;

function segment(text: string): string {
  return encodeURIComponent(text.length > longestSegment ? malformed : text);
}

/** A component with an encoded slash names nothing: `%2F` is no separator. */
function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  return path
    .split('/')
    .map((component) => (decode(component).includes('/') ? malformed : decode(component)))
    .join('/');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return malformed;
  }
}
