import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { nameComponent } from '../../oci/namespace.js';
import { Tag } from '../../oci/reference.js';
import { StartError } from '../start-error.js';

/** A repository as clients name it at the server, and an image of it. */
export interface ImageName {
  /** Namespace and name. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** Longest text looked at. */
const maxLength = 1024;

/** Reads `namespace/name[:tag][@digest]`, also behind `docker://`. @throws StartError */
export function parseImageName(text: string): ImageName {
  const name = text.replace(/^docker:\/\//, '');
  try {
    if (name.length > maxLength) throw new OciError('NAME_INVALID');
    const [, path = '', tag, digest] = /^([^@]*?)(?::([^/:@]+))?(?:@(.*))?$/.exec(name) ?? [];
    const [first = '', ...rest] = path.split('/');
    const isHost = /^[a-z0-9][a-z0-9.-]*(?::\d{1,5})?$/i.test(first);
    if (!(isHost && rest.every((part) => nameComponent.test(part)))) throw new OciError('NAME_INVALID');
    return {
      path,
      tag: tag === undefined ? undefined : Tag.parse(tag).name,
      digest: digest === undefined ? undefined : Digest.parse(digest),
    };
  } catch (error) {
    if (error instanceof OciError) throw new StartError(`${printable(text)}: ${error.message}`);
    throw error;
  }
}

/** A text from elsewhere, for a message. */
export function printable(text: string): string {
  return text.slice(0, 256).replace(/[^\x20-\x7e]/g, '?');
}
