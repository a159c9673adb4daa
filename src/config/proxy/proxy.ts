import { ConfigurationError, type Problem } from '../configuration-error.js';
import { Secret } from '../values/secret.js';
import { NoProxy } from './no-proxy.js';

/** A forward proxy of the environment. */
export interface Proxy {
  readonly hostname: string;
  readonly port: number;
  /** `hostname:port`, for messages. */
  readonly host: string;
  /** Whether the connection to the proxy itself uses TLS. */
  readonly isSecure: boolean;
  /** Value of Proxy-Authorization. */
  readonly authorization: Secret | undefined;
  /** The environment variable that names the proxy. */
  readonly variable: string;
}

/** Names of an environment variable, the first of which that is not empty counts. */
const spellings = (name: string) => [name.toLowerCase(), name];

/**
 * The proxy for a request; undefined for a direct connection. The one decision for registries, token realms and buckets;
 * other replicas are always contacted directly.
 * @throws ConfigurationError when the variable is malformed, which `checkProxies` finds at start.
 */
export function proxyOf(url: URL): Proxy | undefined {
  const found = variableFor(url.protocol);
  if (!found || exemptions().has(url.hostname, Number(url.port) || usualPort(url.protocol))) return undefined;
  return parsed(found);
}

/** @throws ConfigurationError with each variable that names no usable proxy */
export function checkProxies(): void {
  const problems = new Map<string, Problem>();
  for (const protocol of ['https:', 'http:']) {
    const found = variableFor(protocol);
    if (found && !parse(found)) problems.set(found.variable, problemOf(found));
  }
  if (problems.size > 0) throw new ConfigurationError([...problems.values()]);
}

interface Found {
  readonly variable: string;
  readonly text: string;
}

function variableFor(protocol: string): Found | undefined {
  const own = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  return firstOf([...spellings(own), ...spellings('ALL_PROXY')]);
}

function firstOf(variables: readonly string[]): Found | undefined {
  for (const variable of variables) {
    const text = process.env[variable]?.trim() ?? '';
    if (text !== '') return { variable, text };
  }
  return undefined;
}

const noExemptions = new NoProxy('');
let lastExemptions = { text: '', value: noExemptions };

function exemptions(): NoProxy {
  const text = firstOf(spellings('NO_PROXY'))?.text ?? '';
  if (text !== lastExemptions.text) lastExemptions = { text, value: new NoProxy(text) };
  return lastExemptions.value;
}

/** Entries of NO_PROXY that match nothing. */
export function uselessExemptions(): Problem[] {
  const found = firstOf(spellings('NO_PROXY'));
  const entries = found ? NoProxy.unusable(found.text) : [];
  return entries.length === 0 || !found
    ? []
    : [{ path: found.variable, kind: 'a variable', reason: `has entries that match no host: ${entries.join(', ')}` }];
}

function parsed(found: Found): Proxy {
  const proxy = parse(found);
  if (!proxy) throw new ConfigurationError([problemOf(found)]);
  return proxy;
}

/** Without a scheme, the proxy is contacted with plain http, as by other programs. */
function parse({ text, variable }: Found): Proxy | undefined {
  const address = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') return undefined;
  const port = Number(url.port) || usualPort(url.protocol);
  const credentials = `${decode(url.username)}:${decode(url.password)}`;
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    host: `${url.hostname}:${port}`,
    isSecure: url.protocol === 'https:',
    authorization: url.username === '' ? undefined : new Secret(`Basic ${Buffer.from(credentials).toString('base64')}`),
    variable,
  };
}

/** The value may contain a password, so it is not repeated. */
function problemOf({ variable }: Found): Problem {
  return { path: variable, kind: 'text', reason: 'must be the URL of an http or https proxy' };
}

function usualPort(protocol: string): number {
  return protocol === 'https:' ? 443 : 80;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
