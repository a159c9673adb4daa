import type { INestApplicationContext } from '@nestjs/common';
import { AccessService } from '../../../access/access.service.js';
import { BackgroundJobs } from '../../../admin/acting/background.jobs.js';
import { OperatorActions } from '../../../admin/acting/operator.actions.js';
import type { Operator } from '../../../admin/acting/operator.js';
import { OwnAddresses } from '../../../admin/explaining/own.addresses.js';
import type { Right } from '../../../config/access/rule.settings.js';
import type { ImageReference } from '../../../oci/image-reference.js';
import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { SweepService } from '../../../registry/eviction/sweep.service.js';
import { ExplainService } from '../../../registry/explaining/explain.service.js';
import type { PageContext } from '../../page.context.js';
import { ActionTokens } from './action.token.js';

/** What actions are done with. */
export class ActionServices {
  readonly actions: OperatorActions;
  readonly jobs: BackgroundJobs;
  readonly sweeping: SweepService;
  readonly explaining: ExplainService;
  private readonly addresses: OwnAddresses;
  private readonly tokens: ActionTokens;

  constructor(app: INestApplicationContext) {
    this.actions = app.get(OperatorActions);
    this.jobs = app.get(BackgroundJobs);
    this.sweeping = app.get(SweepService);
    this.explaining = app.get(ExplainService);
    this.addresses = app.get(OwnAddresses);
    const access = app.get(AccessService);
    this.tokens = new ActionTokens(() => access.sharedSecrets);
  }

  /** @throws OciError for what is no reference */
  imageOf({ host }: PageContext, typed: string): ImageReference {
    return this.explaining.parse(typed, this.addresses.of({ host }));
  }

  /** @param about the action with all that it is about */
  proofOf(context: PageContext, about: string): string {
    return this.tokens.make({ browser: context.csrf(), identity: context.visitor.identity, about }, context.now);
  }

  isProven(context: PageContext, about: string, proof: string | null): boolean {
    const subject = { browser: context.csrf(), identity: context.visitor.identity, about };
    return this.tokens.isValid(proof ?? '', subject, context.now);
  }

  /**
   * Notes an attempt without a right or a proof, and refuses it. Whoever has no right does not learn that there is anything.
   * @throws OciError
   */
  assertMay(
    context: PageContext,
    isAllowed: boolean,
    about: string,
    form: URLSearchParams,
    image?: ImageReference,
  ): void {
    const isProven = isAllowed && this.isProven(context, about, form.get('proof'));
    if (isProven) return;
    const [verb = ''] = about.split(' ', 1);
    const refusal = isAllowed ? 'the form is too old, or was made for something else' : 'no right to do it';
    this.actions.note(operatorOf(context, 'admin'), verb, image, refusal);
    throw isAllowed ? new OciError('DENIED', `${refusal}: open it again`) : new OciError('NOT_FOUND');
  }
}

/** @param right what he needs for what he does. @param repository whose it is; none for the whole server */
export function operatorOf(
  { visitor, address, requestId }: PageContext,
  right: Right,
  repository?: RepositoryRef,
): Operator {
  return { signedIn: visitor.signedIn, address, request: requestId, rule: visitor.ruleOf(right, repository) };
}
