import type { SignInRefused } from '../../access/sign-in.js';
import { formatScope, type Scope } from '../../access/tokens/scope.js';
import type { Right } from '../../config/access/rule.settings.js';
import { OciError } from '../../oci/error.js';

/** Why a token did not do (RFC 6750 §3.1). containerd drops a token only if an error is named. */
export type TokenError = 'invalid_token' | 'insufficient_scope';

/** The response to credentials that are not accepted, without a challenge. */
export function signInError({ reason, retryAfter = 5, method }: SignInRefused): OciError {
  if (reason === 'busy') return new OciError('TOOMANYREQUESTS', 'too many attempts to sign in', { retryAfter });
  if (reason === 'unavailable') {
    const who = method === 'ldap' ? 'the directory of users' : 'the issuer of the token';
    return new OciError('UNAVAILABLE', `${who} does not respond`, { retryAfter });
  }
  if (reason === 'malformed') return new OciError('REQUEST_INVALID', 'the Authorization header is malformed');
  return new OciError('UNAUTHORIZED', reason === 'expired' ? 'the token has expired' : 'the credentials are not valid');
}

/**
 * The challenge of the token protocol. Bearer alone: Docker tries every scheme that it is offered, and fails with the
 * last. One header: ORAS reads the first.
 */
export function challengeOf(origin: string, service: string, scope?: Scope, error?: TokenError): string {
  const parts = [`realm="${origin}/token"`, `service="${service}"`];
  if (scope) parts.push(`scope="${formatScope(scope)}"`);
  if (error) parts.push(`error="${error}"`);
  return `Bearer ${parts.join(',')}`;
}

/** The scope with which clients list repositories. */
export const catalogScope: Scope = { type: 'registry', name: 'catalog', actions: ['*'] };

/** The scope with which clients get a right. Whoever pushes also reads. */
export function scopeOf(repository: string, right: Right): Scope {
  return { type: 'repository', name: repository, actions: right === 'push' ? ['pull', 'push'] : [right] };
}
