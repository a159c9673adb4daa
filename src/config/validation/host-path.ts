import { isRegistryHost } from './rules.js';
import type { Values } from './validation.js';

/**
 * An entry whose `host` has a path, as `harbor.example.com/project`, with that path as its `path_prefix`; the same for its
 * fallback hosts. An entry with both stays as it is, and its host is then invalid.
 */
export function splitHosts(entry: Values): Values {
  const { fallback_hosts: fallbacks } = entry;
  if (!Array.isArray(fallbacks)) return splitHost(entry);
  return {
    ...splitHost(entry),
    fallback_hosts: fallbacks.map((each) => (isMap(each) ? splitHost(each) : (each as unknown))),
  };
}

function splitHost(entry: Values): Values {
  const [, host, prefix] = /^([^/]+)\/(.*[^/])\/?$/.exec(typeof entry.host === 'string' ? entry.host : '') ?? [];
  const isGiven = entry.path_prefix !== undefined && entry.path_prefix !== null;
  if (host === undefined || isGiven || !isRegistryHost(host)) return entry;
  return { ...entry, host, path_prefix: prefix };
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
