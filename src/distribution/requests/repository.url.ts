import type { FastifyRequest } from 'fastify';
import type { Digest } from '../../oci/digest.js';
import type { UploadPlace } from '../../registry/push.js';
import { originForm } from '../request-target.js';

/**
 * URLs of a repository below the path by which the client names it. They have no scheme and no host, which a proxy may
 * have changed: containerd and Docker resolve them against the URL of their request.
 */
export class RepositoryUrl {
  private constructor(
    private readonly base: string,
    private readonly ns: string | null,
  ) {}

  static of({ originalUrl, raw }: Pick<FastifyRequest, 'originalUrl' | 'raw'>): RepositoryUrl {
    const [path = '', query] = originForm(originalUrl).split('?', 2);
    // The folded target has one component for the repository; those behind it are as many as the client wrote.
    const [folded = ''] = (raw.url ?? '').split('?', 1);
    const behind = folded.split('/').length - '/v2/repository'.split('/').length;
    const components = path.replace(/\/$/, '').split('/');
    return new RepositoryUrl(components.slice(0, -behind).join('/'), new URLSearchParams(query).get('ns'));
  }

  blob(digest: Digest): string {
    return this.with(`blobs/${digest.toString()}`);
  }

  manifest(digest: Digest): string {
    return this.with(`manifests/${digest.toString()}`);
  }

  /** All that any process needs to go on with the session. */
  upload({ id, epoch, begun }: UploadPlace): string {
    return this.with(`blobs/uploads/${id}`, { epoch: String(epoch), ...(begun !== undefined && { begun }) });
  }

  private with(path: string, parameters: Record<string, string> = {}): string {
    const query = new URLSearchParams(parameters);
    if (this.ns !== null && this.ns !== '') query.set('ns', this.ns);
    return `${this.base}/${path}${query.size === 0 ? '' : `?${query.toString()}`}`;
  }
}
