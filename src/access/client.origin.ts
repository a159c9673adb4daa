import { Logger } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Networks } from '../config/values/networks.js';
import { parseOrigin } from '../config/values/origin.js';

/** What a connection and its request say of a client. */
export interface ClientRequest {
  readonly remoteAddress: string | undefined;
  /** Of the connection, where this server does TLS. */
  readonly tls: TLSSocket | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Where a request comes from, and under which origin its client knows this server. */
export interface ClientOrigin {
  readonly address: string;
  /** The client's own connection, where that is TLS. */
  readonly tls: TLSSocket | undefined;
  /** As `https://registry.example.com`. */
  readonly origin: string;
}

/**
 * Believes forwarding headers of listed proxies only: anybody else could give himself another address (CVE-2026-20896 of
 * Gitea).
 */
export class ClientOrigins {
  private readonly logger = new Logger('Access');
  private hasWarned = false;
  private readonly proxies: Networks;
  private readonly hasProxies: boolean;

  constructor(
    private readonly publicUrl: string | undefined,
    trustedProxies: readonly string[],
  ) {
    this.proxies = new Networks(trustedProxies);
    this.hasProxies = trustedProxies.length > 0;
  }

  of({ remoteAddress = '', tls, headers }: ClientRequest): ClientOrigin {
    const isForwarded = this.hasProxies && this.proxies.has(remoteAddress);
    const address = isForwarded ? this.forwardedFor(remoteAddress, headers['x-forwarded-for']) : remoteAddress;
    const { publicUrl } = this;
    return {
      address,
      // A proxy's certificate is not its clients'.
      tls: isForwarded ? undefined : tls,
      // Only challenges need it.
      get origin() {
        return publicUrl ?? originBy(headers, isForwarded, tls !== undefined);
      },
    };
  }

  /** The last address that is not one of a trusted proxy: those before it are what the client says. */
  private forwardedFor(own: string, header: string | string[] | undefined): string {
    const chain = String(header ?? '')
      .split(',')
      .map((text) => withoutPort(text.trim()))
      .filter((text) => text !== '');
    const last = chain.findLast((address) => !this.proxies.has(address));
    if (last === undefined || (isIP(last) !== 0 && !last.includes('%'))) return last ?? own;
    if (!this.hasWarned)
      this.logger.warn('a trusted proxy sends an X-Forwarded-For that is no address: its clients are taken for one');
    this.hasWarned = true;
    return own;
  }
}

/** Some proxies write `192.0.2.10:40000` and `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const [, ipv6, ipv4] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return ipv6 ?? ipv4 ?? text;
}

function originBy(headers: IncomingHttpHeaders, isForwarded: boolean, isEncrypted: boolean): string {
  const proto = isForwarded ? firstOf(headers['x-forwarded-proto']) : undefined;
  const host = (isForwarded ? firstOf(headers['x-forwarded-host']) : undefined) ?? headers.host ?? '';
  const scheme = proto === 'https' || (proto === undefined && isEncrypted) ? 'https' : 'http';
  return originOf(scheme, host);
}

/** A host with other characters could add parameters to a challenge. */
function originOf(scheme: string, host: string): string {
  const isHost = /^[A-Za-z0-9.:[\]_-]{1,255}$/.test(host);
  return (isHost ? parseOrigin(`${scheme}://${host}`) : undefined) ?? `${scheme}://localhost`;
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return (
    String(header ?? '')
      .split(',')[0]
      ?.trim() || undefined
  );
}
