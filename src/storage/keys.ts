import { createHash } from 'node:crypto';
import type { Digest } from '../oci/digest.js';
import type { Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';

/*
 * blobs/<algorithm>/<first two hex>/<hex>                    content: layers, configs and manifests, once per digest
 * repositories/<namespace>/<name>/_blobs/<algorithm>/<hex>       this repository contains that content
 * repositories/<namespace>/<name>/_manifests/<algorithm>/<hex>   { mediaType, size, subject? }
 * repositories/<namespace>/<name>/_tags/<tag>                    { tag, digest, mediaType, size, checkedAt }
 * repositories/<namespace>/<name>/_lists/<slot>                a page of tags or referrers, as the upstream sent it
 * health/probe                                               written to see whether the storage takes writes
 * damaged/<former key>                                       records that could not be read, set aside
 * ingest/<id>                                                being written; a provider's own, never a key
 *
 * Different arguments always give different keys. Components of names never begin with `_`, so `_blobs` ends a name;
 * what is not `[a-z0-9.-]` in a namespace or a tag is escaped with `_`, which keeps keys apart on file systems that
 * fold case.
 */

/** Longest escaped tag or namespace kept readable; file systems take 255 bytes in a component. */
const longestComponent = 200;

export const keys = {
  content: ({ algorithm, hex }: Digest) => `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`,
  repository: ({ namespace, name }: RepositoryRef) => `repositories/${component(namespace.toString())}/${name}`,
  blob: (repository: RepositoryRef, { algorithm, hex }: Digest) =>
    `${keys.repository(repository)}/_blobs/${algorithm}/${hex}`,
  manifest: (repository: RepositoryRef, { algorithm, hex }: Digest) =>
    `${keys.repository(repository)}/_manifests/${algorithm}/${hex}`,
  tag: (repository: RepositoryRef, tag: Tag) => `${keys.repository(repository)}/_tags/${component(tag.name)}`,
  list: (repository: RepositoryRef, name: string) => `${keys.repository(repository)}/_lists/${slotOf(name)}`,
  probe: 'health/probe',
  damaged: (key: string) => `damaged/${key}`,
};

/** One of 64 slots: names of lists come from clients, and must not fill a disk. The record has the name itself. */
function slotOf(name: string): string {
  const [first = 0] = createHash('sha256').update(name).digest();
  return String(first % 64);
}

/** A too long text becomes its hash behind `_-`, which no escape begins with; a tag's record has the tag itself. */
function component(text: string): string {
  const escaped = escape(text);
  return escaped.length <= longestComponent ? escaped : `_-${createHash('sha256').update(text).digest('hex')}`;
}

/** `_` → `__`, `A` → `_a`, anything else → `_03a.`, its code in hexadecimal. */
function escape(text: string): string {
  return text.replace(/[^a-z0-9.-]/g, (character) => {
    if (character === '_') return '__';
    if (character >= 'A' && character <= 'Z') return `_${character.toLowerCase()}`;
    return `_0${character.charCodeAt(0).toString(16)}.`;
  });
}

/** Whether a provider may use the key as it is. */
export function isKey(key: string): boolean {
  const parts = key.length <= 1024 ? key.split('/') : [];
  return (
    parts.length > 0 &&
    parts[0] !== 'ingest' &&
    parts.every((part) => /^[a-z0-9._-]+$/.test(part) && part !== '.' && part !== '..')
  );
}
