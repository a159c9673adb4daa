import { Injectable } from '@nestjs/common';
import type { Namespace } from '../oci/namespace.js';
import { OciError } from '../oci/error.js';
import type { TagPage } from './list-page.js';

/** The repositories that content was pushed to (`/v2/_catalog`). */
@Injectable()
export class CatalogService {
  /**
   * @param namespace undefined: all hosted namespaces, and names that begin with them.
   * @throws OciError
   */
  list(
    _query: { readonly n?: number | undefined; readonly last?: string | undefined },
    _namespace?: Namespace,
  ): Promise<TagPage> {
    return Promise.reject(new OciError('UNSUPPORTED'));
  }
}
