import { lookup } from 'node:dns/promises';
import { connect as connectPlainly } from 'node:net';
import { runCheck, type CheckResult, type Finding } from '../config/check.js';
import { SystemClock } from '../config/clock/clock.js';
import { BodyMemory } from '../config/memory/body.memory.js';
import { proxyOf } from '../config/proxy/proxy.js';
import type { UpstreamSettings } from '../config/upstream.settings.js';
import type { UpstreamCredentials } from './credentials/credential.source.js';
import { trySources, whatOf, type TriedSource } from './credentials/credentials.check.js';
import { SystemResolver } from './transport/resolver.js';
import { Agents } from './transport/agents.js';
import { checkCertificate } from './transport/certificate.check.js';
import { RegistrySession } from './sign-in/registry.session.js';
import { checkRateLimit, checkSignIn, type SeenDate } from './sign-in/sign-in.check.js';
import { TokenService, type TokenFetcher } from './sign-in/token.service.js';
import { Upstream } from './upstream.js';

/** Upstreams checked concurrently. */
const concurrency = 8;

/**
 * Checks that each upstream and each of its fallbacks is reachable and accepts the sign-in.
 * @param seen called with the clock difference to each of them.
 */
export async function* checkUpstreams(
  settings: readonly UpstreamSettings[],
  seen: (date: SeenDate) => void,
): AsyncGenerator<CheckResult> {
  const agents = new Agents(new SystemResolver());
  const memory = new BodyMemory(2 ** 26);
  const send: TokenFetcher = (u, url, headers, form) =>
    session.send(u, url, headers, false, form === undefined ? 'GET' : 'POST', form);
  const tokens = new TokenService(send, new SystemClock(), memory);
  const session: RegistrySession = new RegistrySession(agents, tokens);
  const upstreams = settings.map((entry) => new Upstream(entry, true)).flatMap((u) => [u, ...u.fallbacks]);
  try {
    for (let first = 0; first < upstreams.length; first += concurrency) {
      const some = upstreams.slice(first, first + concurrency);
      for (const results of await Promise.all(some.map((upstream) => check(upstream, session, seen)))) yield* results;
    }
  } finally {
    agents.close();
  }
}

interface SignIn {
  readonly what: string;
  readonly credentials: UpstreamCredentials | undefined;
}

/** Runs the steps in order and stops at the first failure; sources of credentials do not depend on the others. */
async function check(
  upstream: Upstream,
  session: RegistrySession,
  seen: (date: SeenDate) => void,
): Promise<CheckResult[]> {
  const { base, settings } = upstream;
  const isProxied = proxyOf(base) !== undefined;
  const steps: [string, (signal: AbortSignal) => Promise<Finding>][] = [];
  if (!isProxied) {
    steps.push(['address', () => checkAddress(base)]);
    steps.push(
      settings.tls
        ? ['certificate', (signal) => checkCertificate(upstream, signal)]
        : ['connection', (signal) => checkConnection(base, signal)],
    );
  }
  const results: CheckResult[] = [];
  const hasFailed = () => results.some(({ status }) => status === 'fail');
  for (const [what, run] of steps) {
    if (!hasFailed()) results.push(await runCheck({ name: `${upstream.id}: ${what}`, run }));
  }
  const isReachable = !hasFailed();
  const tried = await trySources(upstream, new SystemClock());
  results.push(...tried.map(({ result }) => result));
  if (!isReachable) return results;
  for (const { what, credentials } of signInsOf(upstream, tried)) {
    const run = () => checkSignIn(upstream, session, seen, credentials);
    results.push(await runCheck({ name: `${upstream.id}: ${what}`, run }));
  }
  if (hasFailed()) return results;
  if (settings.pathPrefix !== undefined) {
    const detail = `repositories are requested below ${base.host}/${settings.pathPrefix}`;
    results.push({ name: `${upstream.id}: path prefix`, status: 'ok', detail, duration: 0 });
  } else if (upstream.namespace.isDockerHub && !upstream.isFallback) {
    results.push(await runCheck({ name: `${upstream.id}: pull limit`, run: () => checkRateLimit(upstream, session) }));
  }
  return results;
}

/** With the credentials of each source, and with those of the entry itself; without any where there are none. */
function signInsOf(upstream: Upstream, tried: readonly TriedSource[]): SignIn[] {
  const { credentials: user } = upstream.settings;
  const own = user && { ...user, kind: 'password' as const, identity: `user ${user.username}` };
  const others = tried.flatMap(({ settings, credentials }) => {
    return credentials === undefined ? [] : { what: `sign-in with ${whatOf(settings)}`, credentials };
  });
  return own !== undefined || others.length === 0 ? [...others, { what: 'sign-in', credentials: own }] : others;
}

async function checkAddress({ hostname }: URL): Promise<Finding> {
  const name = hostname.replace(/^\[|\]$/g, '');
  try {
    const addresses = await lookup(name, { all: true });
    return {
      status: 'ok',
      detail: `${name} is at ${addresses
        .map(({ address }) => address)
        .join(', ')
        .slice(0, 120)}`,
    };
  } catch (error) {
    return { status: 'fail', detail: `${name} cannot be resolved (${codeOf(error)})` };
  }
}

function checkConnection({ hostname, port }: URL, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connectPlainly({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 80, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ status: 'ok', detail: 'plain http: transfers are not encrypted' });
    });
    socket.once('error', (error) => resolve({ status: 'fail', detail: `cannot be reached (${codeOf(error)})` }));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
