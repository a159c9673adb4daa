import type { Behaviour } from './behaviour.js';
import type { RecordedRequest } from './request-log.js';

const basic = 'Basic realm="Fake Registry"';

/** The `WWW-Authenticate` header of a 401, or none where the behaviour wants none. */
export function challengeHeaders(
  { auth, challenge }: Behaviour,
  realmUrl: string,
  request: RecordedRequest,
  reason?: 'invalid_token' | 'insufficient_scope',
): Record<string, string | string[]> {
  if (challenge.where === 'base' && request.kind !== 'base') return {};
  if (auth === 'basic') return { 'www-authenticate': basic };
  const error = challenge.error === false ? undefined : (challenge.error ?? reason);
  const realm = error === 'invalid_token' ? (challenge.realmForInvalidToken ?? realmUrl) : realmUrl;
  const parameters = { realm, service: challenge.service, scope: scopeOf(challenge.scope, request.repository), error };
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value}"`],
  );
  const bearer = `Bearer ${written.join(',')}`;
  switch (challenge.layout) {
    case 'bearer':
      return { 'www-authenticate': bearer };
    case 'joined':
      return { 'www-authenticate': `${bearer}, ${basic}` };
    case 'joined-basic-first':
      return { 'www-authenticate': `${basic}, ${bearer}` };
    case 'separate':
      return { 'www-authenticate': [basic, bearer] };
  }
}

function scopeOf(scope: Behaviour['challenge']['scope'], repository: string | undefined): string | undefined {
  if (typeof scope === 'object') return scope.literal;
  if (scope === 'placeholder') return 'repository:user/image:pull';
  return scope === 'none' || repository === undefined ? undefined : `repository:${repository}:pull`;
}
