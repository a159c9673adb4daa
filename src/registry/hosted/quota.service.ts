import { Injectable } from '@nestjs/common';
import type { RepositoryRef } from '../../oci/repository.js';

/** What a hosted namespace may hold (`max_size`). */
@Injectable()
export class QuotaService {
  /**
   * To be called before content is accepted: when an upload begins and ends, and for each manifest.
   * @param bytes of the content; 0 when its size is unknown.
   * @throws OciError DENIED, with what is used and what is allowed, when they do not fit
   */
  check(_repository: RepositoryRef, _bytes: number): Promise<void> {
    return Promise.resolve();
  }
}
