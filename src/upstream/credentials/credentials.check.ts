import { runCheck, type CheckResult, type Finding } from '../../config/check.js';
import type { Clock } from '../../config/clock/clock.js';
import type { CredentialSettings } from '../../config/credentials/credential.settings.js';
import type { Upstream } from '../upstream.js';
import { CredentialError, type CredentialSource, type UpstreamCredentials } from './credential.source.js';
import { makeSource } from './credential.sources.js';

/** Milliseconds that a source may take: a helper may have to be started, and to ask a cloud. */
const deadline = 30_000;
/** Milliseconds; credentials with less time left can end before a large image is pulled. */
const shortLife = 60_000;
/** Characters of patterns in the name of a check. */
const maxPatterns = 80;

/** The result of trying a source, and what it gave. */
export interface TriedSource {
  readonly result: CheckResult;
  readonly settings: CredentialSettings;
  readonly credentials: UpstreamCredentials | undefined;
}

/** Asks each source that is configured for a host, in the order in which they count. Never throws. */
export function trySources(upstream: Upstream, clock: Clock): Promise<TriedSource[]> {
  return Promise.all(upstream.settings.credentialSources.map((settings) => trySource(upstream, settings, clock)));
}

async function trySource(upstream: Upstream, settings: CredentialSettings, clock: Clock): Promise<TriedSource> {
  let credentials: UpstreamCredentials | undefined;
  const result = await runCheck(
    {
      name: `${upstream.id}: ${whatOf(settings)}`,
      run: async (signal) => {
        credentials = await fetchOnce(upstream, settings, clock, signal);
        return findingOf(credentials, upstream, clock.now());
      },
    },
    deadline,
  );
  return { result, settings, credentials: result.status === 'fail' ? undefined : credentials };
}

async function fetchOnce(
  upstream: Upstream,
  settings: CredentialSettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<UpstreamCredentials | undefined> {
  const { base, certificateAuthorities, settings: endpoint } = upstream;
  const { host, acceptInvalidCerts } = endpoint;
  let source: CredentialSource | undefined;
  try {
    source = await makeSource(settings, { host, base, certificateAuthorities, acceptInvalidCerts, clock });
    const repository = sampleOf(upstream, settings);
    const part = repository === undefined ? undefined : await source.partOf?.(repository);
    return await source.fetch(signal, part);
  } catch (error) {
    if (error instanceof CredentialError) throw error;
    // Another message may contain anything.
    throw new Error(`failed unexpectedly (${error instanceof Error ? error.name : typeof error})`);
  } finally {
    source?.close?.();
  }
}

function findingOf(credentials: UpstreamCredentials | undefined, { base }: Upstream, now: number): Finding {
  if (!credentials) {
    return { status: 'warn', detail: `has no credentials for ${base.host}: its images are pulled without` };
  }
  const { identity, expiresAt } = credentials;
  if (expiresAt === undefined) return { status: 'ok', detail: `${identity}; no end is known` };
  const end = new Date(expiresAt).toISOString().replace(/[.]\d+Z$/, 'Z');
  if (expiresAt <= now) return { status: 'fail', detail: `${identity}, but only until ${end}, which has passed` };
  return { status: expiresAt - now < shortLife ? 'warn' : 'ok', detail: `${identity}, until ${end}` };
}

/** A repository that an entry is for, by its name at the registry; undefined for an entry that is for all others. */
function sampleOf(upstream: Upstream, { repositories: [pattern] }: CredentialSettings): string | undefined {
  return pattern === undefined ? undefined : upstream.nameOf(pattern.replace(/[*]+/g, 'any'));
}

/** The source, and the repositories that it is for: `ecr`, `github_app for team/**`. */
export function whatOf({ kind, repositories }: CredentialSettings): string {
  if (repositories.length === 0) return kind;
  const text = repositories.join(', ');
  return `${kind} for ${text.length > maxPatterns ? `${text.slice(0, maxPatterns - 1)}…` : text}`;
}
