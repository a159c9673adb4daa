import { createParamDecorator, Param, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Digest } from '../oci/digest.js';
import { OciError } from '../oci/error.js';
import { parseReference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { Namespace } from '../oci/namespace.js';
import type { Conditions } from './responses/blob.response.js';
import { allNamespaces, hasCatalog, originForm, type NamespaceRules } from './request-target.js';
import { ManifestBodyPipe, UploadBodyPipe } from './requests/body.pipes.js';
import { RepositoryUrl } from './requests/repository.url.js';
import { RequesterPipe } from './requester.pipe.js';

/** Largest page that a request may ask for. */
const maxPage = 1000;
/** Longest query of a list request in characters: more than the paging tokens of known registries need. */
const maxListQuery = 1536;

/** `foldTarget` has put the repository into one segment. */
export const Repository = () => Param('repository', { transform: (text: string) => RepositoryRef.parse(text) });
export const DigestOf = () => Param('digest', { transform: (text: string) => Digest.parse(text) });
export const ReferenceOf = () => Param('reference', { transform: (text: string) => parseReference(text) });

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>();

export const ConditionsOf = createParamDecorator((_: undefined, context: ExecutionContext): Conditions => {
  const { headers } = requestOf(context);
  const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = headers;
  return { range, ifRange: typeof ifRange === 'string' ? ifRange : undefined, ifNoneMatch };
});

/** The namespace of a catalog request, as `foldTarget` found it; undefined stands for all hosted ones. */
export const NamespaceOf = createParamDecorator((_: undefined, context: ExecutionContext): Namespace | undefined => {
  const { params, server } = requestOf(context);
  const { namespace } = params as { namespace: string };
  const rules = server.getDecorator<NamespaceRules>('namespaceRules');
  if (namespace === allNamespaces && hasCatalog(rules)) return undefined;
  if (rules.hosted?.has(namespace) !== true) throw new OciError('NOT_FOUND');
  return Namespace.parse(namespace);
});

export const UrlOf = createParamDecorator((_: undefined, context: ExecutionContext) =>
  RepositoryUrl.of(requestOf(context)),
);

const requestAsSent = createParamDecorator((_: undefined, context: ExecutionContext) => requestOf(context));
export const RequesterOf = () => requestAsSent(RequesterPipe);
export const UploadBodyOf = () => requestAsSent(UploadBodyPipe);
export const ManifestBodyOf = () => requestAsSent(ManifestBodyPipe);

/** A list request: its path as the client sent it, its whole query, and the part that goes upstream. */
export interface ListQuery {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly passed: URLSearchParams;
  /** The same for lists that are made here. */
  readonly page: { readonly n: number | undefined; readonly last: string | undefined };
}

/** @throws OciError REQUEST_INVALID when `n` is not a number, or the query too long; more than 1000 counts as 1000. */
export const ListQueryOf = createParamDecorator((_: undefined, context: ExecutionContext): ListQuery => {
  const [path = '', text = ''] = originForm(requestOf(context).originalUrl).split('?', 2);
  if (text.length > maxListQuery)
    throw new OciError('REQUEST_INVALID', `the query is longer than ${maxListQuery} characters`);
  const query = new URLSearchParams(text);
  // Registries page by parameters of their own; only `ns` is for the mirror.
  const passed = new URLSearchParams([...query].filter(([name]) => name !== 'ns'));
  const n = passed.get('n');
  if (n !== null && !/^\d{1,15}$/.test(n)) throw new OciError('REQUEST_INVALID', 'n must be a whole number');
  if (n !== null) passed.set('n', String(Math.min(Number(n), maxPage)));
  const page = { n: n === null ? undefined : Math.min(Number(n), maxPage), last: passed.get('last') ?? undefined };
  return { path, query, passed, page };
});
