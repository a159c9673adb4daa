import { Tag } from '../../../oci/reference.js';
import { MoveError } from '../move-error.js';

/** What a file calls an image. */
export interface StoredName {
  /** Repository without its registry; undefined where there is only a tag. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
}

/** Reads `registry/name:tag`, `name:tag`, or a tag alone. @throws MoveError */
export function parseStoredName(text: string): StoredName {
  if (text.length > 512) throw new MoveError('an image has a name of more than 512 characters');
  if (!/[:/]/.test(text)) return { repository: undefined, tag: tagOf(text) };
  const [, path = '', tag = 'latest'] = /^(.*?)(?::([^/:]*))?$/s.exec(text) ?? [];
  const [first = '', ...rest] = path.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return { repository: isHost ? rest.join('/') : path, tag: tagOf(tag) };
}

function tagOf(text: string): string {
  try {
    return Tag.parse(text).name;
  } catch {
    throw new MoveError(`an image is named ${JSON.stringify(text.slice(0, 128))}, which is no tag`);
  }
}

/** Groups images by repository. @throws MoveError when one name is given to two images */
export class NamedImages<T extends { readonly digest: unknown }> {
  readonly groups = new Map<string | undefined, Map<string, T>>();

  add({ repository, tag }: StoredName & { readonly tag: string }, image: T): void {
    const group = this.groups.get(repository) ?? new Map<string, T>();
    const earlier = group.get(tag);
    if (earlier && String(earlier.digest) !== String(image.digest))
      throw new MoveError(`two images have the name ${repository === undefined ? '' : `${repository}:`}${tag}`);
    this.groups.set(repository, group.set(tag, image));
  }
}
