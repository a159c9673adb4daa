import { isIP } from 'node:net';
import { OciError } from './error.js';

const dockerHub = 'docker.io';
const aliases = new Map([
  ['index.docker.io', dockerHub],
  ['registry-1.docker.io', dockerHub],
]);

const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** A component of a repository's name (distribution specification, "Pulling manifests"). */
export const nameComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const authority = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/** A registry's canonical host, with its port unless that is 443. */
export class Namespace {
  private constructor(
    /** Host name or address without the port; an IPv6 address keeps its brackets. */
    readonly host: string,
    readonly port: number | undefined,
  ) {}

  /**
   * Canonical form: lower case, no trailing dot, no `:443`, one name for Docker Hub.
   * @throws OciError NAME_INVALID when the text is not a host name or address with an optional port.
   */
  static parse(text: string): Namespace {
    // Non-ASCII text is rejected first: some letters outside ASCII have an ASCII lower case.
    const isAscii = text.length <= 260 && /^[!-~]+$/.test(text);
    const [, host = '', port] = (isAscii && authority.exec(text.toLowerCase())) || [];
    const name = host.endsWith('.') ? host.slice(0, -1) : host;
    const number = port === undefined || Number(port) === 443 ? undefined : Number(port);
    if (!isHost(name) || (number !== undefined && (number < 1 || number > 65535))) {
      throw new OciError('NAME_INVALID', 'the namespace is not a registry host');
    }
    return number === undefined ? new Namespace(aliases.get(name) ?? name, undefined) : new Namespace(name, number);
  }

  /**
   * Whether clients take a first path component for a host: it has a dot or a colon, or is `localhost`, unless it is valid
   * in a repository name but not as a host, as `x.y_z` is.
   */
  static looksLikeHost(component: string): boolean {
    if (component.toLowerCase() === 'localhost') return true;
    if (!component.includes('.') && !component.includes(':')) return false;
    return !nameComponent.test(component) || isHost(component);
  }

  get isDockerHub(): boolean {
    return this.host === dockerHub && this.port === undefined;
  }

  /** A name that public DNS can resolve: at least two labels, not an address. */
  get isDomainName(): boolean {
    return this.host.includes('.') && !this.isAddress;
  }

  get isAddress(): boolean {
    return (
      isIP(this.host.replace(/^\[|\]$/g, '')) !== 0 ||
      /^[\d.]+$/.test(this.host) ||
      /\.(?:0x[0-9a-f]*|\d+)$/.test(this.host)
    );
  }

  equals(other: Namespace): boolean {
    return this.host === other.host && this.port === other.port;
  }

  toString(): string {
    return this.port === undefined ? this.host : `${this.host}:${this.port}`;
  }
}

function isHost(name: string): boolean {
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  return name.length <= 253 && name.split('.').every((part) => part.length <= 63 && label.test(part));
}
