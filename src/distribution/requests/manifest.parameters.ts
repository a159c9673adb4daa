import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { parseReference, Tag, type Reference } from '../../oci/reference.js';
import { originForm } from '../request-target.js';
import { contentTypeOf } from './incoming.bodies.js';

/** Tags that one request may set; the specification wants 10 at least. */
const maxTags = 100;

/** Everything about a pushed manifest but its bytes. */
export interface PushQuery {
  readonly reference: Reference;
  readonly contentType: string | undefined;
  readonly tags: readonly Tag[];
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

type Preconditions = Pick<PushQuery, 'ifMatch' | 'ifNoneMatch'>;

/** If-Match and If-None-Match of a request that changes something (RFC 9110 §13.1). */
export const PreconditionsOf = createParamDecorator((_: undefined, context: ExecutionContext): Preconditions => {
  const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
});

/**
 * The manifest's reference and tags: `manifests/<digest>?tag=a&tag=b`, and `manifests/<tag>?digest=`, which regctl sends.
 * @throws OciError; with status 414 for more than 100 tags
 */
export const PushQueryOf = createParamDecorator((_: undefined, context: ExecutionContext): PushQuery => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { headers, originalUrl, params } = request;
  const query = new URLSearchParams(originForm(originalUrl).split('?', 2)[1]);
  const named = parseReference((params as { reference: string }).reference);
  const digest = query.get('digest') ?? '';
  const given = query.getAll('tag').filter((text) => text !== '');
  if (given.length > maxTags)
    throw new OciError('REQUEST_INVALID', `a request sets at most ${maxTags} tags`, { status: 414 });
  const tags = given.map((text) => Tag.parse(text));
  const conditions = { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
  const contentType = contentTypeOf(request);
  if (named instanceof Digest || digest === '') return { reference: named, tags, contentType, ...conditions };
  return { reference: Digest.parse(digest), tags: [named, ...tags], contentType, ...conditions };
});
