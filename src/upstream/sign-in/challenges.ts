import { parseChallenges, type Challenge } from '../../oci/challenge.js';
import type { Exchange } from '../transport/transport.js';

/** How a server last required requests to be authorized. */
export type Authorization = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly challenge: Challenge };

/** All challenges of a response. */
export function challengesOf({ body }: Exchange): Challenge[] {
  // Node joins repeated headers, which cannot be told from one header with several challenges.
  return parseChallenges(body.headersDistinct['www-authenticate'] ?? []);
}

/** The `error` parameters of all challenges. */
export function errorsOf(response: Exchange): string[] {
  return challengesOf(response).flatMap(({ parameters }) => parameters.get('error') ?? []);
}

/** Whether a token was refused as invalid. */
export function isInvalidToken(response: Exchange): boolean {
  return response.status === 401 && errorsOf(response).includes('invalid_token');
}

/** The best of the challenges. */
export function choose(challenges: readonly Challenge[]): Authorization | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  if (bearer) return { scheme: 'bearer', challenge: bearer };
  return challenges.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined;
}
