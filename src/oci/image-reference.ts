import { Digest } from './digest.js';
import { OciError } from './error.js';
import { Namespace } from './namespace.js';
import { Tag, type Reference } from './reference.js';
import { RepositoryRef } from './repository.js';

/** What an image reference means where it names no registry, or one that looks like none. */
export interface ImageRules {
  readonly defaultNamespace: string;
  /** Canonical names of registries that count as hosts even without a dot. */
  readonly configured: ReadonlySet<string>;
}

export interface ImageReference {
  readonly repository: RepositoryRef;
  readonly reference: Reference;
}

/** Longest text looked at: a host, a name, a tag and a sha512 digest. */
const maxLength = 1024;

/**
 * Reads `[host/]name[:tag][@digest]` as container clients do: `busybox` is `docker.io/library/busybox:latest` where
 * Docker Hub is the default, and a digest counts before a tag.
 * @throws OciError NAME_INVALID, TAG_INVALID or DIGEST_INVALID
 */
export function parseImageReference(text: string, rules: ImageRules): ImageReference {
  if (text.length > maxLength) throw new OciError('NAME_INVALID');
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : Digest.parse(text.slice(at + 1));
  const tagged = at === -1 ? text : text.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const tag = hasTag ? Tag.parse(tagged.slice(colon + 1)) : undefined;
  return {
    repository: repositoryOf(hasTag ? tagged.slice(0, colon) : tagged, rules),
    reference: digest ?? tag ?? Tag.parse('latest'),
  };
}

function repositoryOf(path: string, { defaultNamespace, configured }: ImageRules): RepositoryRef {
  const slash = path.indexOf('/');
  const first = slash === -1 ? '' : path.slice(0, slash);
  const isHost = first !== '' && (Namespace.looksLikeHost(first) || configured.has(first.toLowerCase()));
  return isHost
    ? RepositoryRef.of(Namespace.parse(first), path.slice(slash + 1))
    : RepositoryRef.of(Namespace.parse(defaultNamespace), path);
}
