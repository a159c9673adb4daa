import { isKey } from '../../keys.js';
import { StorageError } from '../../storage-error.js';

/** Below this lie the markers of use: empty objects whose age is what counts. */
const used = 'used';

/** Where keys are in a bucket: `<prefix>/<key>`, and `<prefix>/used/<key>` for the marker of its use. */
export class KeySpace {
  private readonly root: string;

  constructor(prefix: string | undefined) {
    this.root = prefix === undefined || prefix === '' ? '' : `${prefix}/`;
  }

  /** What everything of ours begins with; empty without a prefix. */
  get start(): string {
    return this.root;
  }

  /** @throws StorageError when the key is malformed. */
  pathOf(key: string): string {
    if (!isOurs(key)) throw new StorageError('failed', 'the key is malformed');
    return this.root + key;
  }

  /** As `pathOf`; undefined when the key is malformed. */
  pathIfSound(key: string): string | undefined {
    return isOurs(key) ? this.root + key : undefined;
  }

  /** Where the marker of use is. @throws StorageError when the key is malformed. */
  markerOf(key: string): string {
    return this.markerOfPath(this.pathOf(key));
  }

  markerOfPath(path: string): string {
    return `${this.root}${used}/${path.slice(this.root.length)}`;
  }

  /** Undefined for what is not ours: foreign objects, and markers. */
  keyOf(path: string): string | undefined {
    const key = path.startsWith(this.root) ? path.slice(this.root.length) : '';
    return isOurs(key) ? key : undefined;
  }
}

function isOurs(key: string): boolean {
  return isKey(key) && key.split('/', 1)[0] !== used;
}
