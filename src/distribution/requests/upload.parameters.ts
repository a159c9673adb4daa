import { createParamDecorator, Param, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { signedInOf } from '../../access/identified.request.js';
import { isAnonymous } from '../../access/rules/identity.js';
import { Digest, type DigestAlgorithm } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { RepositoryRef } from '../../oci/repository.js';
import type { ChunkRange } from '../../registry/push.js';
import { originForm, repositoryBeside, type NamespaceRules } from '../request-target.js';
import { bodyOf } from './incoming.bodies.js';

/** The blob that a request to begin an upload offers to take from another repository. */
export interface MountQuery {
  readonly digest: Digest;
  /** undefined: any repository. */
  readonly from: RepositoryRef | undefined;
}

/** How an upload begins. */
export interface StartQuery {
  readonly mount: MountQuery | undefined;
  /** The whole content is in the body. */
  readonly digest: Digest | undefined;
  readonly algorithm: DigestAlgorithm | undefined;
}

/** Which session, as its Location says, and how it ends. */
export interface SessionQuery {
  readonly epoch: number | undefined;
}

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>();

/** In any order and number; .NET puts an `&` before the first, regctl repeats the digest. */
function queryOf({ originalUrl }: FastifyRequest): URLSearchParams {
  return new URLSearchParams(originForm(originalUrl).split('?', 2)[1]);
}

export const StartQueryOf = createParamDecorator((_: undefined, context: ExecutionContext): StartQuery => {
  const request = requestOf(context);
  const query = queryOf(request);
  return { mount: mountOf(request, query), digest: digestOf(query), algorithm: algorithmOf(query) };
});

/** The digest that ends an upload. @throws OciError DIGEST_INVALID */
export const FinalDigestOf = createParamDecorator((_: undefined, context: ExecutionContext): Digest => {
  const digest = digestOf(queryOf(requestOf(context)));
  if (!digest) throw new OciError('DIGEST_INVALID', 'the digest parameter is missing');
  return digest;
});

export const EpochOf = createParamDecorator((_: undefined, context: ExecutionContext): number | undefined => {
  const text = queryOf(requestOf(context)).get('epoch') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
});

/** What the Location of an upload without a byte says of its beginning. */
export const BegunOf = createParamDecorator((_: undefined, context: ExecutionContext): string | undefined => {
  return queryOf(requestOf(context)).get('begun') ?? undefined;
});

/** Identity of the client that began or continues an upload; undefined when it did not sign in. */
export const ClientOf = createParamDecorator((_: undefined, context: ExecutionContext): string | undefined => {
  const identity = signedInOf(requestOf(context))?.identity;
  return identity && !isAnonymous(identity) ? identity.subject : undefined;
});

/** Text that is no id names no session. */
export const UploadIdOf = () =>
  Param('id', {
    transform: (text: string) => {
      if (!/^[0-9a-f]{32}$/.test(text)) throw new OciError('BLOB_UPLOAD_UNKNOWN');
      return text;
    },
  });

/**
 * Content-Range of a chunk: `<first>-<last>`, also with the unit and total of RFC 9110 §14.4.
 * @throws OciError BLOB_UPLOAD_INVALID; SIZE_INVALID when Content-Length contradicts it
 */
export const ChunkRangeOf = createParamDecorator((_: undefined, context: ExecutionContext): ChunkRange | undefined => {
  const request = requestOf(context);
  const { 'content-range': header } = request.headers;
  if (header === undefined || header === '') return undefined;
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim()) ?? [];
  const [start, end] = [Number(first), Number(last)];
  if (first === undefined || last === undefined || end < start)
    throw new OciError('BLOB_UPLOAD_INVALID', 'Content-Range must be <first byte>-<last byte>');
  const length = bodyOf(request)?.length;
  if (length !== undefined && length !== end - start + 1)
    throw new OciError('SIZE_INVALID', 'Content-Range and Content-Length contradict each other', { status: 400 });
  return { start, end };
});

/** @throws OciError DIGEST_INVALID also for two that differ */
function digestOf(query: URLSearchParams): Digest | undefined {
  const given = new Set(query.getAll('digest').filter((text) => text !== ''));
  const [first] = given;
  if (given.size > 1) throw new OciError('DIGEST_INVALID', 'the request has more than one digest');
  return first === undefined ? undefined : Digest.parse(first);
}

function algorithmOf(query: URLSearchParams): DigestAlgorithm | undefined {
  const text = query.get('digest-algorithm') ?? '';
  if (text === '') return undefined;
  if (text !== 'sha256' && text !== 'sha512')
    throw new OciError('DIGEST_INVALID', 'digest-algorithm must be sha256 or sha512');
  return text;
}

/** What cannot be mounted is uploaded; containerd would give up on an error. */
function mountOf(request: FastifyRequest, query: URLSearchParams): MountQuery | undefined {
  const digest = Digest.find(query.get('mount') ?? '');
  if (!digest) return undefined;
  const from = query.get('from') ?? '';
  if (from === '') return { digest, from: undefined };
  const rules = request.server.getDecorator<NamespaceRules>('namespaceRules');
  try {
    const text = repositoryBeside(from, request.originalUrl, rules, request.headers.host);
    return { digest, from: RepositoryRef.parse(text) };
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
