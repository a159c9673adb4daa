import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { SystemClock } from '../config/clock/clock.js';
import { runCheck, type CheckResult, type Finding } from '../config/check.js';
import type { AccessSettings } from '../config/access/access.settings.js';
import type { IssuerSettings } from '../config/access/issuer.settings.js';
import type { LdapSettings } from '../config/access/ldap.settings.js';
import type { Settings } from '../config/settings.js';
import { fetchJsonOver, fetchKeys, parseAuthorities } from './authenticators/issuer.keys.js';
import { parseHtpasswd } from './authenticators/htpasswd.js';
import { hasExpired, parseRobots } from './authenticators/robots.js';
import { readRegularFile } from '../config/files/regular.file.js';
import { AccessStatistics } from './access.statistics.js';
import { LdapDirectory } from './ldap/ldap.directory.js';
import { parseSigningKeys } from './tokens/signing.keys.js';

const day = 86_400_000;
/** Days before an end that are worth a warning. */
const soon = 14;
const openToAll = 'which every user of this machine can read';

/** Checks what the access file names, without signing anybody in. Details have numbers and times, never a name or secret. */
export async function* checkAccess({
  access,
  server,
}: Pick<Settings, 'access' | 'server'>): AsyncGenerator<CheckResult> {
  if (!access) return;
  const checks = checksOf(access, server.tlsCert !== undefined, Date.now());
  for (const [name, run] of checks) yield await runCheck({ name: `access: ${name}`, run });
}

type NamedCheck = [name: string, run: (signal: AbortSignal) => Promise<Finding>];

function checksOf(access: AccessSettings, servesTls: boolean, now: number): NamedCheck[] {
  const { usersFile, robotsFile, tokenKeyFile, clientCertificates, issuers, ldap } = access;
  const checks: NamedCheck[] = [];
  if (usersFile !== undefined) checks.push(['users', () => checkUsers(usersFile)]);
  if (robotsFile !== undefined) checks.push(['robots', () => checkRobots(robotsFile, now)]);
  if (tokenKeyFile !== undefined) checks.push(['token key', () => checkTokenKeys(tokenKeyFile)]);
  if (clientCertificates)
    checks.push(['client CA', () => checkClientAuthorities(clientCertificates.caFile, servesTls, now)]);
  for (const issuer of issuers) checks.push([`issuer ${issuer.issuer}`, () => checkIssuer(issuer)]);
  if (ldap) checks.push([`LDAP ${ldap.url}`, (signal) => checkLdap(ldap, signal)]);
  return checks;
}

async function checkUsers(path: string): Promise<Finding> {
  const { hashes } = await readAs(path, parseHtpasswd);
  return { status: hashes.size === 0 ? 'warn' : 'ok', detail: `${hashes.size} in ${path}` };
}

async function checkRobots(path: string, now: number): Promise<Finding> {
  const robots = [...(await readAs(path, parseRobots)).values()];
  const expired = robots.filter((robot) => hasExpired(robot, now)).length;
  const ending = robots.filter((robot) => hasExpired(robot, now + soon * day)).length - expired;
  const detail = `${robots.length} in ${path}`;
  if (expired + ending === 0) return { status: 'ok', detail };
  return { status: 'warn', detail: `${detail}; ${expired} have expired, ${ending} expire within ${soon} days` };
}

async function checkTokenKeys(path: string): Promise<Finding> {
  const keys = await readAs(path, parseSigningKeys);
  const detail = `${keys.length} in ${path}`;
  return (await isOpenToAll(path)) ? { status: 'warn', detail: `${detail}, ${openToAll}` } : { status: 'ok', detail };
}

async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  return (mode & 0o004) !== 0;
}

async function checkClientAuthorities(path: string, servesTls: boolean, now: number): Promise<Finding> {
  const text = await readAs(path, (pem) => pem);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${path} has no certificate in PEM`);
  const until = Math.min(...blocks.map((block) => Date.parse(new X509Certificate(block).validTo)));
  const detail = `${blocks.length} in ${path}, valid until ${new Date(until).toISOString()}`;
  if (until <= now) return { status: 'fail', detail };
  if (!servesTls) return { status: 'warn', detail: `${detail}; no client is asked for one without --tls-cert` };
  return { status: until - now < soon * day ? 'warn' : 'ok', detail };
}

/** Discovery and keys, as the first token would need them. */
async function checkIssuer({ issuer, jwksFile, caFile }: IssuerSettings): Promise<Finding> {
  if (jwksFile !== undefined) {
    const { keys } = await readAs(jwksFile, (text) => JSON.parse(text) as { keys: unknown[] });
    return { status: 'ok', detail: `${keys.length} keys in ${jwksFile}` };
  }
  const authorities = caFile === undefined ? undefined : await readAs(caFile, parseAuthorities);
  const { keys } = await fetchKeys(
    issuer,
    fetchJsonOver(() => authorities),
  );
  return { status: 'ok', detail: `sends ${keys.length} keys` };
}

/** What a sign-in needs, without a user. */
async function checkLdap(settings: LdapSettings, signal: AbortSignal): Promise<Finding> {
  const directory = new LdapDirectory(settings, { clock: new SystemClock(), statistics: new AccessStatistics() });
  await Promise.all(directory.files.map((file) => file.read()));
  const detail = await directory.probe(signal);
  const { bindPasswordFile } = settings;
  if (bindPasswordFile === undefined || !(await isOpenToAll(bindPasswordFile))) return { status: 'ok', detail };
  return { status: 'warn', detail: `${detail}; its password is in ${bindPasswordFile}, ${openToAll}` };
}

/** The reason names the file and has nothing of its content. */
async function readAs<T>(path: string, parse: (text: string) => T): Promise<T> {
  try {
    return parse(await readRegularFile(path));
  } catch (error) {
    const isSyntax = error instanceof SyntaxError || !(error instanceof Error);
    const reason = isSyntax ? 'is not valid' : 'code' in error ? String(error.code) : error.message;
    throw new Error(`${path}: ${reason}`);
  }
}
