import { Namespace } from '../oci/namespace.js';

/** What the resolution of a URL depends on. */
export interface NamespaceRules {
  /** Namespace of requests that name none. */
  readonly defaultNamespace: string;
  /** Canonical names of configured namespaces; they count as hosts in paths even without a dot. */
  readonly configured: ReadonlySet<string>;
}

/** Endpoints below a repository, found from the right: names may have components called like endpoints. */
const endpoints = [
  { name: 'manifests', pattern: /^(.+)\/manifests\/([^/]*)$/s },
  { name: 'blobs', pattern: /^(.+)\/blobs\/([^/]*)$/s },
  { name: 'tags', pattern: /^(.+)\/tags\/(list)$/s },
  { name: 'referrers', pattern: /^(.+)\/referrers\/([^/]*)$/s },
] as const;

/**
 * Folds the repository of a distribution request into one path segment, so that ordinary routes match:
 * `/v2/<namespace>%2F<name>/manifests/<reference>`. The five shapes in which clients name a namespace (`?ns=`, host as
 * first path component, host before `/v2/`, both, none) give one and the same target. Everything is decoded exactly
 * once, before any check; what names no repository keeps its malformed text, which the parameter pipes refuse.
 * A path that is no distribution endpoint is returned as it is.
 */
export function foldTarget(url: string, rules: NamespaceRules): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark);
  const { host, rest } = path === '/v2' ? { rest: '' } : splitHost(path, rules);
  if (rest === undefined) return url;
  if (rest === '') return `/v2${query}`;
  for (const { name, pattern } of endpoints) {
    const match = pattern.exec(rest);
    if (!match) continue;
    const repository = repositoryOf(match[1] ?? '', host, namespaceOf(query), rules);
    return `/v2/${encodeURIComponent(repository)}/${name}/${encodeURIComponent(decode(match[2] ?? ''))}${query}`;
  }
  return url;
}

/** What follows `/v2/`, and the host before it when there is one (`/ghcr.io/v2/…`, Docker's registry-mirrors with a path). */
function splitHost(path: string, rules: NamespaceRules): { host?: string; rest?: string } {
  if (path.startsWith('/v2/')) return { rest: path.slice('/v2/'.length) };
  const [, segment, rest] = /^\/([^/]+)\/v2\/(.*)$/s.exec(path) ?? [];
  if (segment === undefined || rest === undefined) return {};
  const host = decode(segment);
  return isHost(host, rules) ? { host, rest } : {};
}

function repositoryOf(text: string, host: string | undefined, ns: string | undefined, rules: NamespaceRules): string {
  const name = decodeName(text);
  const fromQuery = ns === undefined ? undefined : canonical(ns);
  if (host !== undefined) {
    // Two different registries in one request: nobody can tell which is meant.
    const isAmbiguous = fromQuery !== undefined && fromQuery !== canonical(host);
    return `${isAmbiguous ? malformed : canonical(host)}/${name}`;
  }
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const remainder = name.slice(slash + 1);
  if (fromQuery !== undefined) {
    // BuildKit and override_path name the host twice; it is stripped once.
    return `${fromQuery}/${first !== '' && canonical(first) === fromQuery ? remainder : name}`;
  }
  return isHost(first, rules) ? `${canonical(first)}/${remainder}` : `${canonical(rules.defaultNamespace)}/${name}`;
}

/** Refused by every parser; stands for text that names nothing. */
const malformed = '!';

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
  if (!query.includes('ns=')) return undefined;
  const all = new URLSearchParams(query).getAll('ns').filter((value) => value !== '');
  return all.length > 1 ? malformed : all[0];
}

/** A component that decodes to one with a slash stays as it was written and is refused: `%2F` is no separator. */
function decodeName(text: string): string {
  return text
    .split('/')
    .map((component) => (decode(component).includes('/') ? malformed : decode(component)))
    .join('/');
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return malformed;
  }
}
