import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSettings } from '../config/client.settings.js';
import { parse, RefusedError, type AdminClient } from './admin.client.js';
import { printable, ProgressLine, sizeText } from './progress.line.js';

/** Polling interval in milliseconds. */
const interval = 500;

interface Usage {
  readonly bytes: number;
  readonly objects: number;
  readonly quota?: number;
  readonly damaged: number;
}

interface Repository {
  readonly namespace: string;
  readonly name: string;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly usedAt: string;
}

interface Garbage {
  readonly repository: string;
  readonly kind: 'tag' | 'manifest' | 'blob';
  readonly tag?: string;
  readonly digest: string;
  readonly usedAt: string;
  readonly reason: string;
}

interface Removable {
  readonly kind: 'record' | 'content' | 'object';
  readonly key: string;
  readonly size: number;
  readonly usedAt: string;
  readonly reason: string;
}

type Counts = Readonly<Record<string, number>>;

interface Status {
  readonly running: boolean;
  readonly phase?: string;
  readonly counts?: Counts;
  readonly seen?: number;
  readonly bytes?: number;
  readonly last?: Counts & { readonly startedAt: string };
  readonly lastError?: string;
}

/** Prints the storage usage, and that of each repository page by page. */
export async function showUsage(client: AdminClient, { json }: ClientSettings, withRepositories: boolean) {
  const usage = await client.request<Usage>('GET', '/_admin/usage');
  const { bytes, objects, quota, damaged } = usage;
  const used = quota === undefined ? '' : ` of ${sizeText(quota)} (${Math.round((bytes / quota) * 100)}%)`;
  print(json ? JSON.stringify(usage) : `${sizeText(bytes)}${used} in ${objects} pieces of content, ${damaged} damaged`);
  for (let last = ''; withRepositories;) {
    const query = new URLSearchParams({ n: '1000', last }).toString();
    const { repositories } = await client.request<{ repositories: Repository[] }>(
      'GET',
      `/_admin/repositories?${query}`,
    );
    for (const repository of repositories) print(json ? JSON.stringify(repository) : rowOf(repository));
    const end = repositories.at(-1);
    if (!end || repositories.length < 1000) break;
    last = `${end.namespace}/${end.name}`;
  }
  return 0;
}

function rowOf({ namespace, name, manifests, blobs, bytes, usedAt }: Repository): string {
  const counts = `${manifests} manifests, ${blobs} blobs`;
  return `${sizeText(bytes).padStart(10)}  ${usedAt.slice(0, 16)}  ${namespace}/${name}  ${counts}`;
}

/**
 * Starts the job, or joins the running one, and waits until it ends.
 * @returns 1 when it ended early, something failed or damage was found, otherwise 0.
 */
export async function maintain(client: AdminClient, { json }: ClientSettings, work: 'sweep' | 'scrub') {
  const path = `/_admin/${work}`;
  const progress = new ProgressLine();
  const before = (await client.request<Status>('GET', path)).last?.startedAt;
  let status = await client.request<Status>('POST', path);
  try {
    while (status.running) {
      progress.update(undefined, progressOf(work, status));
      await sleep(interval);
      status = await client.request<Status>('GET', path);
    }
  } finally {
    progress.end();
  }
  const { last, lastError } = status;
  if (!last || last.startedAt === before) {
    process.stderr.write(`the ${work} ended early: ${printable(lastError ?? 'see the server log')}\n`);
    return 1;
  }
  print(json ? JSON.stringify(last) : resultOf(work, last));
  const { failed = 0, damaged = 0 } = last;
  return failed > 0 || (work === 'scrub' && damaged > 0) ? 1 : 0;
}

function progressOf(work: string, { phase, counts, seen = 0, bytes }: Status): string {
  const size = bytes === undefined ? '' : `, ${sizeText(bytes)}`;
  return `${work}: ${phase === undefined ? '' : `${phase}, `}${counts?.seen ?? seen} objects${size}`;
}

function resultOf(work: string, { seen, bytes, damaged, failed, removedContents, removedRecords, ...more }: Counts) {
  const found = work === 'scrub' ? `${sizeText(bytes ?? 0)}, ${damaged ?? 0} damaged` : undefined;
  const removed = `removed ${removedContents ?? 0} pieces of content and ${removedRecords ?? 0} records`;
  const freed = `${sizeText(more.removedBytes ?? 0)} freed, ${sizeText(bytes ?? 0)} used`;
  return `checked ${seen ?? 0} objects: ${found ?? `${removed}, ${freed}`}, ${failed ?? 0} failed`;
}

/** @returns 1 when what is garbage could not be found out for a repository, otherwise 0. */
export async function showGarbage(client: AdminClient, { json, server }: ClientSettings): Promise<number> {
  const counts = { tag: 0, manifest: 0, blob: 0 };
  let failed = 0;
  for await (const line of client.lines('/_admin/gc?dry_run', {})) {
    const found = parse(line, server) as Garbage | { readonly failed: number };
    if ('failed' in found) failed = found.failed;
    else counts[found.kind] += 1;
    if (json) print(line);
    else if (!('failed' in found)) print(garbageRowOf(found));
  }
  const { tag, manifest, blob } = counts;
  const total = `${tag} tags, ${manifest} manifests and ${blob} blobs would go, ${failed} repositories failed`;
  if (!json) print(total);
  return failed > 0 ? 1 : 0;
}

function garbageRowOf({ repository, kind, tag, digest, usedAt, reason }: Garbage): string {
  const name = tag === undefined ? repository : `${repository}:${tag}`;
  return `${kind.padEnd(8)}  ${name}@${digest}  unused since ${usedAt.slice(0, 16)}: ${reason}`;
}

/** @returns 1 when an object could not be read, otherwise 0. */
export async function showRemovable(client: AdminClient, { json, server }: ClientSettings): Promise<number> {
  let totals: Counts = {};
  for await (const line of client.lines('/_admin/sweep?dry_run', {})) {
    const found = parse(line, server) as Removable | Counts;
    if (!isRemovable(found)) totals = found;
    if (json) print(line);
    else if (isRemovable(found)) print(removableRowOf(found));
  }
  const { removedContents = 0, removedRecords = 0, removedBytes = 0, failed = 0 } = totals;
  const total = `${removedContents} pieces of content and ${removedRecords} records would go, ${sizeText(removedBytes)}`;
  if (!json) print(`${total}, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function isRemovable(found: Removable | Counts): found is Removable {
  return 'key' in found;
}

function removableRowOf({ reason, size, usedAt, key }: Removable): string {
  return `${reason.padEnd(8)}  ${sizeText(size).padStart(10)}  unused since ${usedAt.slice(0, 16)}  ${key}`;
}

/** @returns 1 when one of them could not be removed, otherwise 0. */
export async function remove(client: AdminClient, { json }: ClientSettings, images: readonly string[]) {
  let missing = 0;
  for (const image of images) {
    const error = await removeOne(client, image);
    if (error) missing += 1;
    const text = error ? `failed  ${image}: ${error.message}` : `removed ${image}`;
    print(json ? JSON.stringify({ image, removed: !error, ...(error && { error: error.message }) }) : text);
  }
  return missing > 0 ? 1 : 0;
}

/** Tries a digest as a manifest first, then as a blob. */
async function removeOne(client: AdminClient, image: string): Promise<RefusedError | undefined> {
  const [, name = '', tag = 'latest', digest] = /^(.*?)(?::([^/:@]*))?(?:@(.*))?$/s.exec(image) ?? [];
  if (name === '') return new RefusedError(400, 'NAME_INVALID', 'invalid repository name');
  const path = pathOf(name);
  const error = await attempt(client, `${path}/manifests/${encodeURIComponent(digest ?? tag)}`);
  if (error?.code !== 'MANIFEST_UNKNOWN' || digest === undefined) return error;
  return attempt(client, `${path}/blobs/${encodeURIComponent(digest)}`);
}

interface Refreshed {
  readonly refreshed: string;
  readonly digest: string;
  readonly before?: string;
}

/** @returns 1 when the upstream did not confirm one of them, otherwise 0. */
export async function refresh(client: AdminClient, { json }: ClientSettings, images: readonly string[]) {
  let failed = 0;
  for (const image of images) {
    const [, name = '', tag = 'latest'] = /^(.*?)(?::([^/:@]*))?$/s.exec(image) ?? [];
    const path = `${pathOf(name)}/manifests/${encodeURIComponent(tag)}`;
    try {
      if (name === '' || image.includes('@')) throw new RefusedError(400, 'TAG_INVALID', 'only tags are refreshed');
      const refreshed = await client.request<Refreshed>('POST', path);
      print(json ? JSON.stringify({ image, ...refreshed }) : refreshedText(image, refreshed));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      failed += 1;
      print(json ? JSON.stringify({ image, error: error.message }) : `failed    ${image}: ${error.message}`);
    }
  }
  return failed > 0 ? 1 : 0;
}

function refreshedText(image: string, { digest, before }: Refreshed): string {
  if (before === digest) return `unchanged ${image} is ${digest}`;
  return `refreshed ${image} is ${digest}${before === undefined ? '' : `, it was ${before}`}`;
}

function pathOf(name: string): string {
  return `/_admin/${name.split('/').map(encodeURIComponent).join('/')}`;
}

async function attempt(client: AdminClient, path: string): Promise<RefusedError | undefined> {
  try {
    await client.request('DELETE', path);
    return undefined;
  } catch (error) {
    if (error instanceof RefusedError) return error;
    throw error;
  }
}

function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}
