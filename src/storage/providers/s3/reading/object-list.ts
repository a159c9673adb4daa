import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ObjectEntry } from '../../../storage.provider.js';
import type { KeySpace } from '../key-space.js';
import type { S3Connection } from '../s3.connection.js';
import { toStorageError } from '../s3-errors.js';

interface Listed {
  readonly path: string;
  readonly size: number;
  readonly modified: Date;
}

/**
 * Every object below a prefix with the later of two times: when it was written, and when its marker was. Objects and
 * markers come page by page and in the same order, so one walk over both is enough, in memory of two pages.
 * @param prefix a well-formed key.
 */
export async function* listObjects(
  connection: S3Connection,
  space: KeySpace,
  prefix: string,
): AsyncGenerator<ObjectEntry> {
  const folder = `${space.pathOf(prefix)}/`;
  const markers = new Markers(connection, listed(connection, space.markerOfPath(folder)));
  try {
    for await (const { path, size, modified } of listed(connection, folder)) {
      const key = space.keyOf(path);
      if (key === undefined) continue;
      const touched = await markers.find(space.markerOfPath(path));
      yield { key, size, usedAt: touched !== undefined && touched > modified ? touched : modified };
    }
    await markers.end();
  } finally {
    await markers.close();
  }
}

/** The markers of use, walked along with the objects; those whose object is gone are removed on the way. */
class Markers {
  private current: Promise<Listed | undefined>;

  constructor(
    private readonly connection: S3Connection,
    private readonly markers: AsyncGenerator<Listed>,
  ) {
    this.current = this.next();
  }

  /** When the marker at the path was written; paths have to be asked for in order. */
  async find(path: string): Promise<Date | undefined> {
    for (;;) {
      const marker = await this.current;
      if (!marker) return undefined;
      const order = compare(marker.path, path);
      if (order > 0) return undefined;
      this.current = this.next();
      if (order === 0) return marker.modified;
      await this.remove(marker.path);
    }
  }

  /** No object is left: neither may a marker be. */
  async end(): Promise<void> {
    for (let marker = await this.current; marker; marker = await this.current) {
      this.current = this.next();
      await this.remove(marker.path);
    }
  }

  async close(): Promise<void> {
    await this.current.catch(() => undefined);
    await this.markers.return(undefined);
  }

  private next(): Promise<Listed | undefined> {
    const next = this.markers.next().then(({ value }) => value as Listed | undefined);
    // Whoever asks for it gets the error; the list may be left before.
    next.catch(() => undefined);
    return next;
  }

  /** The next list meets what cannot be removed now. */
  private async remove(path: string): Promise<void> {
    const { calls, bucket, tuning } = this.connection;
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: path });
    await calls.send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) }).catch(() => undefined);
  }
}

/** Everything that begins with `start`, foreign objects included, in the order of UTF-8. */
async function* listed(connection: S3Connection, start: string): AsyncGenerator<Listed> {
  const { calls, bucket, tuning } = connection;
  let token: string | undefined;
  do {
    const where = { Bucket: bucket, Prefix: start, EncodingType: 'url' as const };
    const command = new ListObjectsV2Command({ ...where, ...(token !== undefined && { ContinuationToken: token }) });
    const page = await calls
      .send(command, { abortSignal: AbortSignal.timeout(tuning.deadline) })
      .catch((error: unknown) => {
        throw toStorageError(error, 'list objects');
      });
    for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
      const path = page.EncodingType === 'url' ? decoded(Key) : Key;
      yield { path, size: Size, modified: LastModified };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** Foreign names may hold what XML cannot. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}

function compare(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
