import { randomBytes } from 'node:crypto';
import { isIngestId } from '../../../keys.js';
import { listed } from '../reading/object-list.js';
import { removeObject } from '../s3.requests.js';
import { pages } from '../uploading/upload.sweep.js';
import { PartsUpload, type PartsContext } from './parts.upload.js';

/** A new name for the object of a multipart upload. */
export function newName(): string {
  return randomBytes(8).toString('hex');
}

/** The objects and multipart uploads of unfinished uploads: `<start><id>/<name>`. */
export class SessionObjects {
  /** @param start of all their paths. */
  constructor(
    readonly context: PartsContext,
    private readonly start: string,
  ) {}

  pathOf(id: string, name: string): string {
    return `${this.start}${id}/${name}`;
  }

  uploadOf(id: string, upload?: { readonly id: string; readonly name: string }): PartsUpload {
    const name = upload?.name ?? newName();
    return new PartsUpload(this.pathOf(id, name), name, this.context, upload?.id);
  }

  /** @throws StorageError */
  remove(id: string, name: string): Promise<void> {
    return removeObject(this.context.connection, this.pathOf(id, name));
  }

  /** Removes everything of one id, whichever process wrote it. @throws StorageError */
  async removeAll(id: string): Promise<void> {
    const { connection, uploads } = this.context;
    const folder = this.pathOf(id, '');
    // Uploads first, since an upload may become an object.
    for await (const page of pages(connection, folder)) {
      for (const { Key, UploadId } of page) {
        if (Key?.startsWith(folder) === true && UploadId !== undefined) await uploads.abort(Key, UploadId);
      }
    }
    for await (const { path } of listed(connection, folder)) await removeObject(connection, path);
  }

  /** Ids with the time of their newest object or upload, in milliseconds since 1970. Foreign objects are left alone. */
  async usedAt(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const note = (path: string, time: Date | undefined) => {
      const [id = '', ...rest] = path.startsWith(this.start) ? path.slice(this.start.length).split('/') : [];
      if (rest.length === 1 && isIngestId(id))
        found.set(id, Math.max(found.get(id) ?? 0, time?.getTime() ?? Date.now()));
    };
    for await (const { path, modified } of listed(this.context.connection, this.start)) note(path, modified);
    for await (const page of pages(this.context.connection, this.start)) {
      for (const { Key = '', Initiated } of page) note(Key, Initiated);
    }
    return found;
  }
}
