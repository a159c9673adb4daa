import { Injectable, Logger } from '@nestjs/common';
import { AccessService } from '../../access/access.service.js';
import type { ImageReference } from '../../oci/image-reference.js';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { referenceText } from '../../oci/typed-reference.js';
import { EvictionEvents } from '../../registry/eviction/eviction.events.js';
import { RemovalService } from '../../registry/eviction/removal.service.js';
import { ManifestsService } from '../../registry/manifests.service.js';
import { TagsService, type RefreshedTag } from '../../registry/tags.service.js';
import { subjectOf, type Operator } from './operator.js';

/** What is noted of an action: what it is about, or nothing for one about the whole server. */
type About = ImageReference | undefined;

/** What operators do from pages. All of it, also what was refused, is in the log and in the audit log. */
@Injectable()
export class OperatorActions {
  private readonly logger = new Logger('Actions');

  constructor(
    private readonly access: AccessService,
    private readonly removal: RemovalService,
    private readonly events: EvictionEvents,
    private readonly manifests: ManifestsService,
    private readonly tags: TagsService,
  ) {}

  /** Removes a mirrored tag with its manifest, or a manifest. @throws OciError MANIFEST_UNKNOWN */
  evict(operator: Operator, image: ImageReference): Promise<void> {
    return this.noting(operator, 'evict', image, async () => {
      const isRemoved = await this.removal.removeManifest(image.repository, image.reference, subjectOf(operator));
      if (!isRemoved) throw new OciError('MANIFEST_UNKNOWN');
    });
  }

  /** Deletes a hosted tag, or a manifest with its tags. @throws OciError */
  delete(operator: Operator, image: ImageReference): Promise<void> {
    return this.noting(operator, 'delete', image, async () => {
      const { repository, reference } = image;
      const tags = await this.manifests.delete(repository, reference);
      await this.events.deleted(repository, reference, tags, subjectOf(operator));
    });
  }

  /** Asks the upstream about a tag now. @throws OciError */
  refresh(operator: Operator, image: ImageReference): Promise<RefreshedTag> {
    const { repository, reference } = image;
    return this.noting(operator, 'refresh', image, async () => {
      if (reference instanceof Digest)
        throw new OciError('UNSUPPORTED', 'a digest never changes: only tags are refreshed');
      return this.tags.refresh(repository, reference);
    });
  }

  /** Runs something, and notes who wanted it and what came of it. @throws what it throws */
  async noting<T>(operator: Operator, action: string, about: About, run: () => Promise<T> | T): Promise<T> {
    try {
      const result = await run();
      this.note(operator, action, about);
      return result;
    } catch (error) {
      this.note(operator, action, about, error instanceof OciError ? error.message : 'it failed');
      throw error;
    }
  }

  /** @param refusal why nothing was done */
  note(operator: Operator, action: string, about: About, refusal?: string): void {
    const subject = subjectOf(operator) ?? (this.access.isEnabled ? 'nobody known' : 'somebody at the admin address');
    const what = about ? ` of ${referenceText(about)}` : '';
    this.logger.log(`${action}${what} by ${subject}${refusal === undefined ? '' : ` was refused: ${refusal}`}`);
    if (!this.access.isEnabled || !this.access.isAudited) return;
    const { signedIn, address, request, rule } = operator;
    this.access.note({
      request,
      address,
      ...(signedIn && { signedIn }),
      action,
      ...(about && { repository: about.repository.toString(), reference: about.reference.toString() }),
      ...(refusal === undefined ? rule !== undefined && { rule: rule - 1 } : { refusal }),
    });
  }
}
