import { Digest } from '../../../oci/digest.js';
import { nameComponent } from '../../../oci/namespace.js';
import { Tag } from '../../../oci/reference.js';
import { printable } from '../image-name.js';
import { MoveError } from '../move-error.js';

/** What a file calls an image. */
export interface StoredName {
  /** Repository without its registry; undefined where there is only a tag. */
  readonly repository: string | undefined;
  /** Undefined for an image that is named by its digest; the whole name if that is not valid. */
  readonly tag: string | undefined;
  readonly isValid: boolean;
}

const host = /^(?:[a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;

/**
 * Reads a reference `[registry/]name:tag`, `[registry/]name[:tag]@digest`, a digest, or a tag alone. A name without a tag is
 * not valid: whether it is a repository cannot be told, and no tag is assumed.
 * @param mayBeTag whether a tag alone is valid.
 * @throws MoveError
 */
export function parseStoredName(text: string, mayBeTag: boolean): StoredName {
  if (text.length > 512) throw new MoveError('an image has a name of more than 512 characters');
  if (Digest.find(text)) return { repository: undefined, tag: undefined, isValid: true };
  if (isTag(text)) return { repository: undefined, tag: text, isValid: mayBeTag };
  const [, path = '', tag, digest] = /^([^@]*?)(?::([^/:@]*))?(?:@(.*))?$/s.exec(text) ?? [];
  const [first = '', ...rest] = path.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const parts = hasHost ? rest : [first, ...rest];
  const isValid =
    (!hasHost || host.test(first)) &&
    parts.every((part) => nameComponent.test(part)) &&
    (tag === undefined ? digest !== undefined : isTag(tag)) &&
    (digest === undefined || Digest.find(digest) !== undefined);
  return isValid ? { repository: parts.join('/'), tag, isValid } : { repository: undefined, tag: text, isValid };
}

function isTag(text: string): boolean {
  try {
    Tag.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Groups images by repository. */
export class NamedImages<T extends { readonly digest: unknown }> {
  readonly groups = new Map<string | undefined, Map<string, T>>();

  /** @param isRenamed whether the image gets another tag, so that its own name does not have to be valid. */
  constructor(private readonly isRenamed: boolean) {}

  /** @throws MoveError when the name is not valid, or given to two images */
  add({ repository, tag, isValid }: StoredName, image: T): void {
    if (!isValid && !this.isRenamed) {
      const remedy = 'give the destination a tag for it, or choose others with --tag';
      throw new MoveError(
        `an image is named "${printable(tag ?? '')}", which is no tag, and no reference with a tag: ${remedy}`,
      );
    }
    const group = this.groups.get(repository) ?? new Map<string, T>();
    const key = tag ?? `@${String(image.digest)}`;
    const earlier = group.get(key);
    if (earlier && String(earlier.digest) !== String(image.digest))
      throw new MoveError(
        `two images have the name ${repository === undefined ? '' : `${repository}:`}${printable(key)}`,
      );
    this.groups.set(repository, group.set(key, image));
  }
}
