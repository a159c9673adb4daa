import { domainToASCII } from 'node:url';
import { isIP } from 'node:net';
import { Networks, parseNetwork } from '../values/networks.js';

/** The hosts that NO_PROXY lists. */
export class NoProxy {
  private readonly entries: readonly Matcher[];

  /**
   * @param text entries separated by commas or spaces: `*` (every host), an address, a network as `10.0.0.0/8`,
   * `example.com` (with its subdomains), `.example.com` or `*.example.com` (subdomains only), each but a network
   * optionally with a port. An entry of any other form matches nothing.
   */
  constructor(text: string) {
    this.entries = entriesOf(text).map(parseEntry);
  }

  /** The entries that match nothing. */
  static unusable(text: string): string[] {
    return entriesOf(text).filter((entry) => parseEntry(entry) === nothing);
  }

  /** Whether requests to this host are sent without a proxy. Those to this machine itself always are. */
  has(hostname: string, port: number): boolean {
    const host = canonicalHost(hostname);
    return isLoopback(host) || this.entries.some((matches) => matches(host, port));
  }
}

type Matcher = (host: string, port: number) => boolean;

const nothing: Matcher = () => false;

function entriesOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
}

const loopback = new Networks(['127.0.0.0/8', '::1/128']);

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || loopback.has(host);
}

function parseEntry(entry: string): Matcher {
  if (entry === '*') return () => true;
  const network = parseNetwork(entry.replace(/^\[(.*)\](\/\d+)?$/, '$1$2'));
  if (network) {
    const networks = new Networks([`${network.address}/${network.prefix}`]);
    return (host) => networks.has(host);
  }
  const [, name = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const matches = matcherOf(name);
  if (matches === nothing) return nothing;
  return (host, wanted) => (port === undefined || Number(port) === wanted) && matches(host, wanted);
}

function matcherOf(name: string): Matcher {
  const bare = withoutBrackets(name);
  if (isIP(bare) !== 0) {
    const networks = new Networks([bare]);
    return (host) => networks.has(host);
  }
  const text = name.replace(/^\*?\./, '');
  // The canonical form ends where a path begins.
  const domain = /[*/\s]/.test(text) ? '' : canonicalHost(text);
  if (domain === '') return nothing;
  const isForSubdomains = /^\*?\./.test(name);
  return (host) => host.endsWith(`.${domain}`) || (!isForSubdomains && host === domain);
}

/** A trailing dot means the same host, and so does the Unicode form of a name. */
function canonicalHost(hostname: string): string {
  const host = withoutBrackets(hostname.toLowerCase());
  if (isIP(host) !== 0) return host;
  const name = host.replace(/\.+$/, '');
  return domainToASCII(name) || name;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
