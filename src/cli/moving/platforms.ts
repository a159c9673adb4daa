import { Digest } from '../../oci/digest.js';
import { isIndex } from '../../oci/media-type.js';
import { matchesPlatform, platformText, type Platform } from '../../oci/platform.js';
import type { Document, Entry } from './documents.js';
import { readDocument } from './documents.js';
import { MoveError } from './move-error.js';

/** Depth of nested indexes. */
export const maxDepth = 8;

/**
 * The part of an index for some platforms: the manifest itself for one of them, otherwise an index of those chosen, with
 * their attestations. What is not an index is of any platform.
 * @param load reads a manifest of the index.
 * @throws MoveError when a platform is missing
 */
export async function choosePlatforms(
  root: Document,
  platforms: readonly Platform[],
  load: (entry: Entry) => Promise<Document>,
): Promise<Document> {
  if (platforms.length === 0 || !isIndex(root.mediaType)) return root;
  const all = await leavesOf(root, load, 0);
  const chosen = all.filter(
    ({ platform }) => platform && platforms.some((wanted) => matchesPlatform(platform, wanted)),
  );
  const isFound = (wanted: Platform) => chosen.some(({ platform }) => platform && matchesPlatform(platform, wanted));
  const missing = platforms.filter((wanted) => !isFound(wanted));
  if (missing.length > 0) throw new MoveError(`the index has no ${missing.map(platformText).join(' and no ')}`);
  const [only] = chosen;
  if (chosen.length === 1 && only) return load(only);
  const kept = new Set(chosen.map(({ digest }) => digest.toString()));
  const attested = all.filter(({ attests }) => attests !== undefined && kept.has(attests));
  return indexOf(root, new Set([...kept, ...attested.map(({ digest }) => digest.toString())]), all);
}

async function leavesOf(index: Document, load: (entry: Entry) => Promise<Document>, depth: number): Promise<Entry[]> {
  if (depth === maxDepth) throw new MoveError(`more than ${maxDepth} nested indexes`);
  const leaves: Entry[] = [];
  for (const entry of index.children) {
    const isNested = entry.mediaType !== undefined && isIndex(entry.mediaType);
    leaves.push(...(isNested ? await leavesOf(await load(entry), load, depth + 1) : [entry]));
  }
  return leaves;
}

/** An index of its own: content that is left out changes the digest. */
function indexOf(root: Document, digests: ReadonlySet<string>, all: readonly Entry[]): Document {
  const { manifests, ...document } = JSON.parse(root.body.toString('utf8')) as {
    manifests: { digest: string }[];
  };
  const own = new Map(manifests.map((each) => [each.digest, each]));
  const entries = all
    .filter(({ digest }) => digests.has(digest.toString()))
    .map(
      ({ digest, mediaType, size, platform }) => own.get(digest.toString()) ?? { mediaType, size, digest, platform },
    );
  const body = Buffer.from(JSON.stringify({ ...document, manifests: entries }));
  const { mediaType } = root;
  return readDocument({ body, mediaType }, Digest.of(body));
}
