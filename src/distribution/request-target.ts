import { Namespace } from '../oci/namespace.js';

/** What the resolution of a URL depends on. */
export interface NamespaceRules {
  /** Namespace of requests that name none. */
  readonly defaultNamespace: string;
  /** Canonical names of configured namespaces; they count as hosts in paths even without a dot. */
  readonly configured: ReadonlySet<string>;
  /** Canonical names of hosted namespaces: one that is the request's Host is its namespace if it names none. */
  readonly hosted?: ReadonlySet<string>;
  /** Whether the catalog has mirrored repositories, too. */
  readonly hasWholeCatalog?: boolean;
}

/**
 * Folds the repository of a distribution request into one path segment, so that ordinary routes match:
 * `/v2/<namespace>%2F<name>/manifests/<reference>`. The five shapes in which clients name a namespace (`?ns=`, host as
 * first path component, host before `/v2/`, both, none) give the same target; the Host header can name a hosted one.
 * Everything is decoded exactly once, before any check; text that names no repository stays malformed, and the parameter
 * pipes refuse it.
 * A path of no distribution endpoint is encoded again: the router decodes too and ends a path at `#`, and must not read
 * a folded target out of what a client wrote.
 * @param authority of the Host header.
 */
export function foldTarget(url: string, rules: NamespaceRules, authority?: string): string {
  const { path, query } = splitTarget(url);
  const { root = '/v2', host, rest } = splitRoot(path, rules);
  if (rest === '' && root === '/v2') return `/v2${query}`;
  const context = { host, ns: namespaceOf(query), authority };
  const catalog = root === '/v2' ? catalogOf(rest, context, rules) : undefined;
  if (catalog !== undefined) return `${catalog}${query}`;
  const endpoint = rest === undefined ? undefined : endpointOf(rest);
  if (!endpoint) return path.split('/').map(encodeURIComponent).join('/') + query;
  const repository = segment(repositoryOf(endpoint.name, context, rules));
  const isStart = endpoint.noun === 'blobs/uploads' && endpoint.reference === '';
  const reference = isStart ? '' : `/${segment(endpoint.reference)}`;
  return `${root}/${repository}/${endpoint.noun}${reference}${query}`;
}

/**
 * Another repository that a request names, as the source of a mount, found in the same way as its own.
 * @returns `<namespace>/<name>`, not checked
 */
export function repositoryBeside(name: string, url: string, rules: NamespaceRules, authority?: string): string {
  const { path, query } = splitTarget(url);
  const { host } = splitRoot(path, rules);
  return repositoryOf(name, { host, ns: namespaceOf(query), authority }, rules);
}

function splitTarget(url: string): { path: string; query: string } {
  const target = originForm(url);
  const mark = target.indexOf('?');
  return {
    path: decodePath(mark === -1 ? target : target.slice(0, mark)),
    query: mark === -1 ? '' : target.slice(mark),
  };
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

const uploads = /^(.+)\/(blobs\/uploads)(?:\/([^/]*))?$/s;
const others = /^(.+)\/(manifests|blobs|referrers|tags(?=\/list$))\/([^/]*)$/s;

/** The endpoint below a repository, searched from the right: a name may contain the name of an endpoint. */
function endpointOf(rest: string): { name: string; noun: string; reference: string } | undefined {
  const [, name, noun, reference = ''] = uploads.exec(rest) ?? others.exec(rest) ?? [];
  return name === undefined || noun === undefined ? undefined : { name, noun, reference };
}

/** What names the namespace of a request besides its path below `/v2/`. */
interface NamespaceContext {
  /** Before `/v2/`. */
  readonly host: string | undefined;
  /** The query parameter. */
  readonly ns: string | undefined;
  /** The Host header. */
  readonly authority: string | undefined;
}

/** Whether there can be something in the catalog. */
export function hasCatalog({ hosted, hasWholeCatalog }: NamespaceRules): boolean {
  return hasWholeCatalog === true || (hosted !== undefined && hosted.size > 0);
}

/** Stands for the namespace of a catalog request that names no hosted one. */
export const allNamespaces = '_';

/** The target of a catalog request: with its namespace if that is hosted, else for all hosted ones. */
function catalogOf(rest: string | undefined, context: NamespaceContext, rules: NamespaceRules): string | undefined {
  if (rest === undefined || !hasCatalog(rules)) return undefined;
  const [, first] = /^(?:([^/]+)\/)?_catalog$/s.exec(rest) ?? [];
  if (first === undefined ? rest !== '_catalog' : !isHost(first, rules)) return undefined;
  const repository = repositoryOf(`${first === undefined ? '' : `${first}/`}_`, context, rules);
  const namespace = repository.slice(0, repository.indexOf('/'));
  return `/v2/${rules.hosted?.has(namespace) === true ? segment(namespace) : allNamespaces}/_catalog`;
}

function repositoryOf(name: string, { host, ns, authority }: NamespaceContext, rules: NamespaceRules): string {
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
  return isHost(first, rules) ? `${canonical(first)}/${remainder}` : `${implied(authority, rules)}/${name}`;
}

/** The namespace of a request that names none: the server's own name under which it came, or the default. */
function implied(authority: string | undefined, { hosted, defaultNamespace }: NamespaceRules): string {
  const own = authority === undefined || hosted === undefined || hosted.size === 0 ? '' : canonical(authority);
  return hosted?.has(own) === true ? own : canonical(defaultNamespace);
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
