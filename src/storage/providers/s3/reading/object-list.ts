import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ObjectEntry } from '../../../storage.provider.js';
import type { KeySpace } from '../key-space.js';
import type { S3Connection } from '../s3.connection.js';
import { toStorageError } from '../s3-errors.js';
import { removeObject } from '../s3.requests.js';
import { callOptions } from '../s3.tuning.js';

/** Most objects that one response of S3 lists. */
const largestPage = 1_000;

interface Listed {
  readonly path: string;
  readonly size: number;
  readonly modified: Date;
}

/**
 * Lists every object below a prefix with the later of two times: that of the object and that of its use marker. Both
 * lists come in the same order, so they are merged in one pass that holds two pages in memory.
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

/**
 * Names in a folder, in the order of their bytes: one request for each 1,000.
 * @param folder a well-formed key.
 */
export async function listNames(
  connection: S3Connection,
  space: KeySpace,
  folder: string,
  after: string | undefined,
  limit: number,
): Promise<string[]> {
  const start = `${space.pathOf(folder)}/`;
  const names: string[] = [];
  if (limit === 0) return names;
  for await (const { path } of listed(connection, start, after === undefined ? undefined : start + after, limit)) {
    if (space.keyOf(path) !== undefined) names.push(path.slice(start.length));
    if (names.length === limit) break;
  }
  return names;
}

/** The use markers, read in step with the objects; markers of missing objects are removed. */
class Markers {
  private current: Promise<Listed | undefined>;

  constructor(
    private readonly connection: S3Connection,
    private readonly markers: AsyncGenerator<Listed>,
  ) {
    this.current = this.next();
  }

  /** The time of the marker at the path; calls must be in the order of paths. */
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

  /** Removes the remaining markers, which have no object. */
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
    // The error reaches the caller that awaits it, if there is one.
    next.catch(() => undefined);
    return next;
  }

  /** The next list retries failed removals. */
  private async remove(path: string): Promise<void> {
    await removeObject(this.connection, path).catch(() => undefined);
  }
}

/**
 * Every object whose path begins with `start`, including foreign objects, in UTF-8 order.
 * @param after only those behind this path.
 * @param page the most objects of one response; 1,000 at any rate.
 */
export async function* listed(
  connection: S3Connection,
  start: string,
  after?: string,
  page = largestPage,
): AsyncGenerator<Listed> {
  const { calls, bucket, tuning } = connection;
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: start,
      EncodingType: 'url',
      ...(page < largestPage && { MaxKeys: page }),
      ...(token !== undefined && { ContinuationToken: token }),
      ...(token === undefined && after !== undefined && { StartAfter: after }),
    });
    const response = await calls.send(command, callOptions(tuning)).catch((error: unknown) => {
      throw toStorageError(error, 'list objects');
    });
    for (const { Key = '', Size = 0, LastModified = new Date(0) } of response.Contents ?? []) {
      const path = response.EncodingType === 'url' ? decoded(Key) : Key;
      yield { path, size: Size, modified: LastModified };
    }
    token = response.IsTruncated === true ? response.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** Foreign names may contain characters that XML cannot represent. */
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
