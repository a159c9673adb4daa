import { Injectable } from '@nestjs/common';
import { ServerSettings } from '../../config/server.settings.js';
import { Semaphore } from '../../config/concurrency/semaphore.js';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import type { ImageReference } from '../../oci/image-reference.js';
import { parseTypedReference, referenceText } from '../../oci/typed-reference.js';
import { UpstreamError } from '../../upstream/upstream-error.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import { toResponseError } from '../response-error.js';
import { LastOutcomes } from '../statistics/last.outcomes.js';
import type { Explanation } from './explanation.js';
import { HostedExplainer } from './hosted.explainer.js';
import { MirroredExplainer, type Explained } from './mirrored.explainer.js';
import { explainOutcome } from './outcome.text.js';
import { nothing } from './stored.content.js';

/** Explanations that are made at the same time, and those that wait: a page must not take the server from those who pull. */
const [mostRunning, mostWaiting] = [2, 32];

/** Why the last pull of a reference ended as it did, and what the next one would do. Asks no upstream and records no use. */
@Injectable()
export class ExplainService {
  private readonly turns = new Semaphore(mostRunning);

  constructor(
    private readonly settings: ServerSettings,
    private readonly upstreams: UpstreamsService,
    private readonly namespaces: HostedNamespaces,
    private readonly mirrored: MirroredExplainer,
    private readonly hosted: HostedExplainer,
    private readonly outcomes: LastOutcomes,
  ) {}

  /**
   * @param typed in any form that people use. @param own hosts, with their ports, under which this server is known
   * @throws OciError NAME_INVALID, TAG_INVALID or DIGEST_INVALID
   */
  parse(typed: string, own: readonly string[]): ImageReference {
    const configured = new Set([
      ...[...this.upstreams.all].map(({ id }) => id),
      ...this.namespaces.names,
      ...this.namespaces.formerNames,
    ]);
    const names = new Set(own.map((each) => each.toLowerCase()));
    const rules = { defaultNamespace: this.settings.defaultNamespace, configured };
    return parseTypedReference(typed, rules, (authority) => names.has(authority.toLowerCase()));
  }

  /**
   * @param seesOthers whether it may tell that content is stored for other repositories: a digest is no permission
   * @throws OciError UNAVAILABLE when the storage fails, or too many are being explained
   */
  async explain(image: ImageReference, seesOthers: boolean): Promise<Explanation> {
    if (this.turns.count >= mostRunning + mostWaiting)
      throw new OciError('UNAVAILABLE', 'too many references are being explained', { retryAfter: 5 });
    return this.turns.run(() => this.explainNow(image, seesOthers));
  }

  private async explainNow({ repository, reference }: ImageReference, seesOthers: boolean): Promise<Explanation> {
    try {
      const isHosted = this.namespaces.has(repository.namespace);
      const { kind, ...explained } = isHosted
        ? {
            kind: 'hosted' as const,
            isPrivate: false,
            isRefused: false,
            ...(await this.hosted.explain(repository, reference, seesOthers)),
          }
        : await this.explainMirrored({ repository, reference }, seesOthers);
      return {
        reference: referenceText({ repository, reference }),
        repository: repository.toString(),
        ...(reference instanceof Digest ? { digest: reference.toString() } : { tag: reference.name }),
        kind,
        last: explainOutcome(this.outcomes.find(repository, reference), kind === 'hosted'),
        ...explained,
      };
    } catch (error) {
      throw toResponseError(error, 'MANIFEST_UNKNOWN');
    }
  }

  private async explainMirrored(
    { repository, reference }: ImageReference,
    seesOthers: boolean,
  ): Promise<Explained & Pick<Explanation, 'kind'>> {
    try {
      return { kind: 'mirrored', ...(await this.mirrored.explain(repository, reference, seesOthers)) };
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.kind !== 'refused') throw error;
      return {
        kind: 'refused',
        isPrivate: false,
        isRefused: false,
        stored: nothing,
        now: { outcome: 'refused', reason: error.message },
      };
    }
  }
}
