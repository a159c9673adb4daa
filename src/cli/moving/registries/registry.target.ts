import { Digest } from '../../../oci/digest.js';
import type { Blob, Target } from '../content.js';
import type { Document } from '../documents.js';
import { RefusedMove } from '../move-error.js';
import { BlobUpload } from './blob.upload.js';
import { commitTimeout, type Connection } from './connection.js';

/** A repository of the server, which content is pushed to. */
export class RegistryTarget implements Target {
  private readonly path: string;
  private readonly uploads: BlobUpload;

  constructor(
    private readonly connection: Connection,
    readonly name: string,
  ) {
    this.path = `/v2/${name}`;
    this.uploads = new BlobUpload(connection, this.path);
  }

  /** Asks whether anything can be pushed here, before it is read. @throws RefusedMove */
  async check(): Promise<void> {
    // 403 may be a full quota, which does not concern what is there already.
    const response = await this.connection.call('POST', `${this.path}/blobs/uploads/`, { expected: [403] });
    if (response.statusCode === 202) await this.uploads.cancel(response);
  }

  async resolve(tag: string): Promise<Digest | undefined> {
    const response = await this.head(`manifests/${tag}`);
    const digest = response.headers['docker-content-digest'];
    return response.statusCode === 200 && typeof digest === 'string' ? Digest.find(digest) : undefined;
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return (await this.head(`manifests/${digest.toString()}`)).statusCode === 200;
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    return (await this.head(`blobs/${digest.toString()}`)).statusCode === 200;
  }

  putBlob(blob: Blob): Promise<void> {
    return this.uploads.put(blob);
  }

  async putManifest(document: Document): Promise<void> {
    await this.put('', document);
  }

  async putTag(tag: string | undefined, document: Document): Promise<void> {
    if (tag !== undefined) await this.put(`?tag=${tag}`, document);
  }

  /** 401 is for the request that matters: a HEAD has no reason to show. */
  private head(path: string) {
    return this.connection.call('HEAD', `${this.path}/${path}`, { expected: [401, 403, 404, 405] });
  }

  /** By its digest, also with a tag: under a tag alone, the server would choose the algorithm. */
  private async put(query: string, { body, mediaType, digest }: Document): Promise<void> {
    const headers = { 'content-type': mediaType };
    const path = `${this.path}/manifests/${digest.toString()}${query}`;
    const response = await this.connection.call('PUT', path, { headers, body, timeout: commitTimeout });
    const stored = response.headers['docker-content-digest'];
    if (stored !== digest.toString()) throw new RefusedMove(0, 'UNKNOWN', 'the server stored another manifest');
  }
}
