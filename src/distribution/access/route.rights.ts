import type { Right } from '../../config/access/rule.settings.js';

/** What a route asks of whoever requests it. */
export type RouteRight =
  /** Nothing: it shows nothing that anybody may not see. */
  | 'public'
  /** Credentials or a token, whoever they are of. */
  | 'credentials'
  /** As `credentials`, and what it lists is only what its reader may see. */
  | 'filtered'
  /** A guard of its own decides. */
  | 'own-guard'
  /** A page for people, which shows what its visitor may see: that is decided where pages are made. */
  | 'page'
  | { readonly right: Right };

const pull: RouteRight = { right: 'pull' };
const push: RouteRight = { right: 'push' };
const remove: RouteRight = { right: 'delete' };

const uploads = '/v2/:repository/blobs/uploads';

/** Every route of the server, by method and path as the router has them. A route that is not here is refused. */
const rights: Readonly<Record<string, RouteRight>> = {
  'GET /': 'public',
  'HEAD /': 'public',
  'GET /healthz': 'public',
  'HEAD /healthz': 'public',
  'HEAD /readyz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'public',
  'GET /token': 'public',
  'POST /token': 'public',
  'GET /v2': 'credentials',
  'HEAD /v2': 'credentials',
  'GET /v2/:namespace/_catalog': 'filtered',
  'HEAD /v2/:namespace/_catalog': 'filtered',
  'GET /v2/:repository/blobs/:digest': pull,
  'HEAD /v2/:repository/blobs/:digest': pull,
  'DELETE /v2/:repository/blobs/:digest': remove,
  [`POST ${uploads}`]: push,
  [`GET ${uploads}/:id`]: push,
  [`HEAD ${uploads}/:id`]: push,
  [`PATCH ${uploads}/:id`]: push,
  [`PUT ${uploads}/:id`]: push,
  [`DELETE ${uploads}/:id`]: push,
  'GET /v2/:repository/manifests/:reference': pull,
  'HEAD /v2/:repository/manifests/:reference': pull,
  'PUT /v2/:repository/manifests/:reference': push,
  'DELETE /v2/:repository/manifests/:reference': remove,
  'GET /v2/:repository/referrers/:digest': pull,
  'HEAD /v2/:repository/referrers/:digest': pull,
  'GET /v2/:repository/tags/list': pull,
  'HEAD /v2/:repository/tags/list': pull,
};

/** @param path the route's; undefined when no route matches. */
export function rightOf(method: string, path: string | undefined): RouteRight | undefined {
  // What matches no route has nothing to protect.
  if (path === undefined) return 'public';
  if (path.startsWith('/_admin/')) return 'own-guard';
  if (path.startsWith('/_ui/assets/')) return 'public';
  if (path.startsWith('/_ui/')) return 'page';
  return rights[`${method} ${path}`];
}
