import { createParamDecorator, Param, type ExecutionContext } from '@nestjs/common';
import { signedInOf } from '../access/identified.request.js';
import { isAnonymous } from '../access/rules/identity.js';
import { Digest } from '../oci/digest.js';
import { parseReference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';

/** The server has put the repository into one segment. */
export const Repository = () => Param('repository', { transform: (text: string) => RepositoryRef.parse(text) });
export const DigestOf = () => Param('digest', { transform: (text: string) => Digest.parse(text) });
export const ReferenceOf = () => Param('reference', { transform: (text: string) => parseReference(text) });

/** The identity that sent the request; undefined for the token, and at the admin address. */
export const ActorOf = createParamDecorator((_: undefined, context: ExecutionContext): string | undefined => {
  const identity = signedInOf(context.switchToHttp().getRequest<object>())?.identity;
  return identity && !isAnonymous(identity) ? identity.subject : undefined;
});
