import { createHash } from 'node:crypto';
import { Digest } from '../oci/digest.js';
import type { Namespace } from '../oci/namespace.js';
import type { Tag } from '../oci/reference.js';
import type { RepositoryRef } from '../oci/repository.js';
import {
  component,
  digestComponent,
  hashOf,
  orderedName,
  orderedReference,
  orderedTag,
  unescape,
} from './key-components.js';
import { StorageError } from './storage-error.js';

/*
 * Storage layout:
 *
 * blobs/<algorithm>/<first two hex>/<hex>                    content: layers, configs and manifests, once per digest
 * origins/<algorithm>/<first two hex>/<hex>                  the upstream that sent that content
 * mounts/<algorithm>/<first two hex>/<hex>-<slot>           { repository }: one of those that have that content
 * repositories/<namespace>/<name>/_blobs/<algorithm>/<hex>       this repository contains that content
 * repositories/<namespace>/<name>/_manifests/<algorithm>/<hex>   { mediaType, size, subject? }
 * repositories/<namespace>/<name>/_tags/<tag>                    { tag, digest, mediaType, size, checkedAt }
 * repositories/<namespace>/<name>/_referrers/<subject>/<manifest>  hosted: the descriptor that the referrers list shows
 * catalog/<namespace>/<name>                                 hosted: the repository exists
 * mirrored/<namespace and name>                              mirrored: the repository exists
 * repositories/<namespace>/<name>/_lists/<slot>                a page of tags or referrers, as the upstream sent it
 * repositories/<namespace>/<name>/_refusals/<algorithm>/<hex>    { refusedAt }: the upstream refused that digest here
 * repositories/<namespace>/<name>/_refusals/repository           { refusedAt }: it refused access to the repository
 * health/probe                                               written to check that the storage accepts writes
 * leases/<algorithm>/<first two hex>/<hex>-<upstream>-<epoch>  which replica downloads that content from that upstream
 * leases/tags/<first two hex>/<hex>-<epoch>                  which one asks about a tag; hex is of the tag's key
 * leases/manifests/<first two hex>/<hex>-<epoch>             which one gets a manifest; hex is of the record's key. Also
 *                                                            which one removes garbage or content; hex is of the folder's key
 * uploads/<first two hex>/<id>-<epoch>                       an upload session, where it stood when that epoch had it
 * damaged/<former key>                                       quarantined objects, kept for a week
 * secrets/<name>                                             keys that the replicas share, made by the first of them
 * state/<name>                                               results of earlier sweeps and scrubs
 * traffic/<hash of the process's name>                       what a process remembers of its traffic
 * events/<process>/<webhook>/<event>                         events that wait for their delivery; on file systems, never a key
 * ingest/<id>                                                being written; internal to the provider, never a key
 *
 * Different arguments always give different keys. Components of names never begin with `_`, so `_blobs` ends a name.
 * Characters outside `[a-z0-9.-]` in a namespace or tag are escaped with `_`, so keys stay distinct on file systems that
 * fold case. Tags of hosted repositories and names in the catalog have escapes that keep their order.
 */

export type SecretName = 'token-key' | 'upload-key';

/** Lists stored for each repository. */
const listSlots = 64;
/** Repositories remembered for each content as sources of mounts. */
export const mountSlots = 16;

export const keys = {
  content: ({ algorithm, hex }: Digest) => `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`,
  origin: ({ algorithm, hex }: Digest) => `origins/${algorithm}/${hex.slice(0, 2)}/${hex}`,
  /** @param slot below `mountSlots` */
  mountSource: ({ algorithm, hex }: Digest, slot: number) =>
    `mounts/${algorithm}/${hex.slice(0, 2)}/${hex}-${String(slot).padStart(2, '0')}`,
  mountSlot: (repository: RepositoryRef) => slotOf(keys.repository(repository), mountSlots),
  namespace: (namespace: Namespace) => `repositories/${component(namespace.toString())}`,
  repository: ({ namespace, name }: RepositoryRef) => `${keys.namespace(namespace)}/${name}`,
  blobs: (repository: RepositoryRef) => `${keys.repository(repository)}/_blobs`,
  blob: (repository: RepositoryRef, { algorithm, hex }: Digest) => `${keys.blobs(repository)}/${algorithm}/${hex}`,
  manifests: (repository: RepositoryRef) => `${keys.repository(repository)}/_manifests`,
  manifest: (repository: RepositoryRef, { algorithm, hex }: Digest) =>
    `${keys.manifests(repository)}/${algorithm}/${hex}`,
  tag: (repository: RepositoryRef, tag: Tag) => `${keys.repository(repository)}/_tags/${component(tag.name)}`,
  /** Tags of a hosted repository, in the order of the tags. */
  hostedTags: (repository: RepositoryRef) => `${keys.repository(repository)}/_tags`,
  hostedTag: (repository: RepositoryRef, tag: Tag) => `${keys.hostedTags(repository)}/${orderedTag(tag.name)}`,
  referrers: (repository: RepositoryRef, subject: Digest) =>
    `${keys.repository(repository)}/_referrers/${digestComponent(subject)}`,
  referrer: (repository: RepositoryRef, subject: Digest, manifest: Digest) =>
    `${keys.referrers(repository, subject)}/${digestComponent(manifest)}`,
  /** Repositories of a hosted namespace, in the order of their names. */
  catalog: (namespace: Namespace) => `catalog/${component(namespace.toString())}`,
  cataloged: ({ namespace, name }: RepositoryRef) => `${keys.catalog(namespace)}/${orderedName(name)}`,
  mirroredFolder: 'mirrored',
  /** Mirrored repositories, in the order of their whole names. Undefined for what has no place in that order. */
  mirrored: (repository: string) => {
    const component = orderedReference(repository);
    return component === undefined ? undefined : `${keys.mirroredFolder}/${component}`;
  },
  list: (repository: RepositoryRef, name: string) => `${keys.repository(repository)}/_lists/${slotOf(name, listSlots)}`,
  /** @param digest without it, of the repository. */
  refusal: (repository: RepositoryRef, digest?: Digest) =>
    `${keys.repository(repository)}/_refusals/${digest ? `${digest.algorithm}/${digest.hex}` : 'repository'}`,
  probe: 'health/probe',
  /** @param upstream its identity */
  blobLeases: (upstream: string, { algorithm, hex }: Digest) =>
    `leases/${algorithm}/${hex.slice(0, 2)}/${hex}-${hashOf(upstream).slice(0, 32)}`,
  tagLeases: (repository: RepositoryRef, tag: Tag) => leasesOf('tags', keys.tag(repository, tag)),
  manifestLeases: (repository: RepositoryRef, digest: Digest) =>
    leasesOf('manifests', keys.manifest(repository, digest)),
  /** Of the process that removes garbage from a hosted repository. */
  garbageLeases: (repository: RepositoryRef) => leasesOf('manifests', keys.manifests(repository)),
  /** Of the process that removes content from the folder in which the digest has its place. */
  contentLeases: ({ algorithm, hex }: Digest) => leasesOf('manifests', `blobs/${algorithm}/${hex.slice(0, 2)}`),
  /** @param leases from one of the functions above; it is a prefix, not a folder. */
  lease: (leases: string, epoch: number) => `${leases}-${String(epoch).padStart(8, '0')}`,
  /** @param id `isIngestId`. The folder holds other sessions too. */
  uploads: (id: string) => `uploads/${id.slice(0, 2)}`,
  upload: (id: string, epoch: number) => `${keys.uploads(id)}/${id}-${String(epoch).padStart(8, '0')}`,
  damaged: (key: string) => `damaged/${key}`,
  state: (name: 'usage' | 'scrub') => `state/${name}`,
  trafficFolder: 'traffic',
  /** @param name of the process */
  traffic: (name: string) => `${keys.trafficFolder}/${hashOf(name).slice(0, 32)}`,
  secret: (name: SecretName) => `secrets/${name}`,
};

/** The subject of a record, parsed from its key. */
export interface RecordKey {
  readonly kind: 'blob' | 'manifest' | 'tag' | 'list' | 'referrer' | 'refusal';
  /** The namespace, or its hash when it is too long for a key. */
  readonly namespace: string;
  readonly name: string;
  /** Set for blobs and manifests. */
  readonly digest?: Digest;
}

const recordKinds = {
  blobs: 'blob',
  manifests: 'manifest',
  tags: 'tag',
  lists: 'list',
  referrers: 'referrer',
  refusals: 'refusal',
} as const;

const recordPattern =
  /^repositories\/([^/]+)\/([^/_][^/]*(?:\/[^/_][^/]*)*)\/_(blobs|manifests|tags|lists|referrers|refusals)\/(?:(sha256|sha512)\/)?((?<=\/_referrers\/)[^/]+\/[^/]+|[^/]+)$/;

/** Undefined for keys that are not records of this program. */
export function parseRecordKey(key: string): RecordKey | undefined {
  const match = recordPattern.exec(key);
  if (!match) return undefined;
  const [, namespace = '', name = '', folder, algorithm, last = ''] = match;
  const kind = recordKinds[folder as keyof typeof recordKinds];
  const place = { kind, namespace: unescape(namespace), name };
  if (kind === 'refusal') return place;
  if (kind === 'tag' || kind === 'list' || kind === 'referrer') return algorithm === undefined ? place : undefined;
  const digest = Digest.find(`${algorithm}:${last}`);
  return digest && { ...place, digest };
}

/** The namespace of a catalog entry, as in `RecordKey`. */
export function parseCatalogKey(key: string): string | undefined {
  const [, namespace] = /^catalog\/([^/]+)\/[^/]+$/.exec(key) ?? [];
  return namespace === undefined ? undefined : unescape(namespace);
}

/** Undefined for keys that are not content of this program. */
export function parseContentKey(key: string): Digest | undefined {
  return parseDigestKey(key, keys.content);
}

/** Undefined for keys that are not origins of this program. */
export function parseOriginKey(key: string): Digest | undefined {
  return parseDigestKey(key, keys.origin);
}

/** Undefined for keys that are not sources of mounts. */
export function parseMountKey(key: string): Digest | undefined {
  const [, algorithm, hex = ''] = /^mounts\/(sha256|sha512)\/[0-9a-f]{2}\/([0-9a-f]+)-\d{2}$/.exec(key) ?? [];
  return Digest.find(`${algorithm}:${hex}`);
}

function parseDigestKey(key: string, keyOf: (digest: Digest) => string): Digest | undefined {
  const [, algorithm, hex = ''] = /^[a-z]+\/(sha256|sha512)\/[0-9a-f]{2}\/([0-9a-f]+)$/.exec(key) ?? [];
  const digest = Digest.find(`${algorithm}:${hex}`);
  return digest && keyOf(digest) === key ? digest : undefined;
}

/** All content folders, which partition the digests. */
export function contentFolders(): string[] {
  const starts = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
  return ['sha256', 'sha512'].flatMap((algorithm) => starts.map((start) => `blobs/${algorithm}/${start}`));
}

/** Undefined for keys that are not records of upload sessions. */
export function parseUploadKey(key: string): { readonly id: string; readonly epoch: number } | undefined {
  const [, folder, id = '', epoch] = /^uploads\/([0-9a-f]{2})\/([0-9a-f]{32})-(\d{8})$/.exec(key) ?? [];
  return folder === undefined || folder !== id.slice(0, 2) ? undefined : { id, epoch: Number(epoch) };
}

/** Whether the text is the id of a resumable ingest. */
export function isIngestId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id);
}

/** The id itself. @throws StorageError `failed` when it is malformed */
export function checkIngestId(id: string): string {
  if (!isIngestId(id)) throw new StorageError('failed', 'the id of the ingest is malformed');
  return id;
}

function leasesOf(folder: string, key: string): string {
  const hex = hashOf(key);
  return `leases/${folder}/${hex.slice(0, 2)}/${hex}`;
}

/** One of so many slots: clients choose the names, and must not fill the disk. The record has the name itself. */
function slotOf(name: string, slots: number): number {
  const [first = 0] = createHash('sha256').update(name).digest();
  return first % slots;
}

/** Whether objects under this key are never touched, so that no use of them is recorded. */
export function isNeverTouched(key: string): boolean {
  return /^(?:uploads|leases)\//.test(key);
}

/** The key itself. @throws StorageError `failed` when it is malformed */
export function checkKey(key: string): string {
  if (!isKey(key)) throw malformedKey();
  return key;
}

export function malformedKey(): StorageError {
  return new StorageError('failed', 'the key is malformed');
}

/** Whether the key is well-formed. */
export function isKey(key: string): boolean {
  const parts = key.length <= 1024 ? key.split('/') : [];
  return (
    parts.length > 0 &&
    parts[0] !== 'ingest' &&
    parts.every((part) => /^[a-z0-9._-]+$/.test(part) && part !== '.' && part !== '..')
  );
}
