import { Digest } from './digest.js';
import { OciError } from './error.js';
import { parseImageReference, type ImageReference, type ImageRules } from './image-reference.js';
import { Namespace } from './namespace.js';
import { parseReference } from './reference.js';

/** Longest text looked at. */
const maxLength = 2048;

/**
 * Reads a reference in any form that people type or paste: as clients write it, behind `docker://` or `oci://`, with this
 * server's own address in front, or as the URL of a manifest.
 * @param isOwn whether a host with an optional port is an address of this server
 * @throws OciError NAME_INVALID, TAG_INVALID or DIGEST_INVALID
 */
export function parseTypedReference(
  typed: string,
  rules: ImageRules,
  isOwn: (authority: string) => boolean,
): ImageReference {
  if (typed.length > maxLength) throw new OciError('NAME_INVALID');
  const text = typed.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const [, host, name, reference, ns] = /^([^/]+)\/v2\/(.+)\/manifests\/([^/?#]+)(?:\?ns=([^&#]+))?$/.exec(text) ?? [];
  if (host === undefined || name === undefined || reference === undefined)
    return parseImageReference(withoutOwn(text, rules, isOwn), rules);
  const target = ns === undefined ? withoutOwn(`${host}/${name}`, rules, isOwn) : `${ns}/${name}`;
  const { repository } = parseImageReference(target, rules);
  return { repository, reference: parseReference(decoded(reference)) };
}

/**
 * The text behind this server's address. Registries with a port, or at an address, are only mirrored when they are configured: any
 * other such host is this server's, and so is one that a configured registry follows.
 */
function withoutOwn(text: string, rules: ImageRules, isOwn: (authority: string) => boolean): string {
  const [first = '', ...others] = text.split('/');
  const rest = others.join('/');
  if (rest === '' || !Namespace.looksLikeHost(first)) return text;
  const next = others.length > 1 ? (others[0] ?? '') : '';
  const namesRegistry = next !== '' && (Namespace.looksLikeHost(next) || isConfigured(next, rules));
  if (isConfigured(first, rules)) return namesRegistry && isOwn(first) ? rest : text;
  const { port, isDomainName } = Namespace.parse(first);
  return isOwn(first) || port !== undefined || !isDomainName || (namesRegistry && isConfigured(next, rules))
    ? rest
    : text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OciError('TAG_INVALID');
  }
}

function isConfigured(host: string, { configured }: ImageRules): boolean {
  return Namespace.looksLikeHost(host)
    ? configured.has(Namespace.parse(host).toString())
    : configured.has(host.toLowerCase());
}

/** `namespace/name:tag`, or with a digest. */
export function referenceText({ repository, reference }: ImageReference): string {
  return `${repository.toString()}${reference instanceof Digest ? '@' : ':'}${reference.toString()}`;
}
