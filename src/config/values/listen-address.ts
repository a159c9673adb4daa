import { isIPv6 } from 'node:net';

/** A TCP address or a Unix socket to listen on. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Parses `0.0.0.0:8080`, `[::1]:8080`, `:8080` (all addresses) and `unix:/path`. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith('unix:')) return text.length > 'unix:'.length ? { path: text.slice('unix:'.length) } : undefined;
  const [, host = '', port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):(\d{1,5})$/.exec(text) ?? [];
  const address = host.replace(/^\[|\]$/g, '');
  if (port === undefined || Number(port) > 65535 || (address !== host && !isIPv6(address))) return undefined;
  return { host: host === '' ? '::' : address, port: Number(port) };
}
