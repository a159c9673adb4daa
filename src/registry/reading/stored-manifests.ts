import { Inject, Injectable } from '@nestjs/common';
import { BodyMemory } from '../../config/memory/body.memory.js';
import type { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { maxManifestBytes } from '../../oci/manifest.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { SingleFlight } from './single-flight.js';

/** The bytes of stored manifests, within the memory for bodies. */
@Injectable()
export class StoredManifests {
  private readonly bodies = new SingleFlight<Buffer | undefined>();

  constructor(
    private readonly manifests: ManifestStore,
    @Inject(BodyMemory) private readonly memory: BodyMemory,
  ) {}

  /**
   * The stored bytes, read once for all who want them now, when there is room for them.
   * @param size from the record.
   * @throws OciError UNAVAILABLE
   */
  async find(digest: Digest, size: number): Promise<Buffer | undefined> {
    const known = this.manifests.findCachedBody(digest);
    return known ?? this.bodies.run(digest.toString(), () => this.read(digest, size));
  }

  private async read(digest: Digest, size: number): Promise<Buffer | undefined> {
    const hold = await this.memory.take('clients', Math.min(size, maxManifestBytes), () => undefined);
    if (!hold) throw new OciError('UNAVAILABLE', 'too many manifests are being sent', { retryAfter: 5 });
    hold.complete();
    try {
      const body = await this.manifests.findBody(digest);
      if (body) this.memory.bind(hold, body);
      return body;
    } finally {
      hold.handOver();
    }
  }
}
