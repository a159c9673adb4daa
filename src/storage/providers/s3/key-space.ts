import { isKey, malformedKey } from '../../keys.js';

/** Folder of the use markers: empty objects whose modification time counts. */
const used = 'used';

/** Maps keys to paths in a bucket: `<prefix>/<key>` for objects, `<prefix>/used/<key>` for use markers. */
export class KeySpace {
  private readonly root: string;

  constructor(prefix: string | undefined) {
    this.root = prefix === undefined || prefix === '' ? '' : `${prefix}/`;
  }

  /** The start of all paths; empty without a prefix. */
  get start(): string {
    return this.root;
  }

  /** @throws StorageError when the key is malformed. */
  pathOf(key: string): string {
    if (!isOurs(key)) throw malformedKey();
    return this.root + key;
  }

  /** As `pathOf`; undefined when the key is malformed. */
  findPath(key: string): string | undefined {
    return isOurs(key) ? this.root + key : undefined;
  }

  /** The path of the use marker. @throws StorageError when the key is malformed. */
  markerOf(key: string): string {
    return this.markerOfPath(this.pathOf(key));
  }

  markerOfPath(path: string): string {
    return `${this.root}${used}/${path.slice(this.root.length)}`;
  }

  /** Undefined for foreign objects and use markers. */
  keyOf(path: string): string | undefined {
    const key = path.startsWith(this.root) ? path.slice(this.root.length) : '';
    return isOurs(key) ? key : undefined;
  }
}

function isOurs(key: string): boolean {
  return isKey(key) && key.split('/', 1)[0] !== used;
}
