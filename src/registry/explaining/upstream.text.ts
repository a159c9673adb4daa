import type { CredentialUse, UpstreamInspection } from '../../upstream/health/inspection.js';
import type { ExplainedCredentials, ExplainedUpstream } from './explanation.js';

/** The state of an upstream as an explanation has it. */
export function upstreamText(inspection: UpstreamInspection): ExplainedUpstream {
  const { upstream, host, outcome, circuit, pauses, rateLimit, isSlow, waiting, ...more } = inspection;
  const { supportsHead, lastResponse, credentials, fallbacks } = more;
  return {
    namespace: upstream.namespace.toString(),
    isConfigured: upstream.isConfigured,
    host,
    condition: outcome.condition,
    ...(outcome.reason !== undefined && { reason: outcome.reason }),
    ...(outcome.since !== undefined && { since: timeText(outcome.since) }),
    circuit,
    pauses: pauses.map(({ method, reason, retryAfter }) => {
      return { method, reason, ...(retryAfter !== undefined && { seconds: retryAfter }) };
    }),
    ...(rateLimit && {
      rateLimit: { limit: rateLimit.limit, remaining: rateLimit.remaining, window: rateLimit.window },
    }),
    isSlow,
    waiting,
    ...(supportsHead !== undefined && { supportsHead }),
    ...(lastResponse && { lastResponse: responseText(lastResponse) }),
    ...(credentials && { credentials: credentialsText(credentials) }),
    fallbacks: fallbacks.map(({ host: name, outcome: { condition }, isPaused }) => ({
      host: name,
      condition,
      isPaused,
    })),
  };
}

export function credentialsText({ source, repositories, identities, problem }: CredentialUse): ExplainedCredentials {
  return { source, repositories, identities, ...(problem !== undefined && { problem }) };
}

function responseText({
  method,
  host,
  status,
  reason,
  at,
}: NonNullable<UpstreamInspection['lastResponse']>): NonNullable<ExplainedUpstream['lastResponse']> {
  return {
    method,
    host,
    ...(status !== undefined && { status }),
    ...(reason !== undefined && { reason }),
    at: timeText(at),
  };
}

function timeText(time: number): string {
  return new Date(time).toISOString();
}
