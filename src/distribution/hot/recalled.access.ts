import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessService } from '../../access/access.service.js';
import type { Recalled } from '../../access/client.sign-ins.js';
import type { ClientOrigin } from '../../access/client.origin.js';
import type { Allotment } from '../../access/limits/rate.limits.js';
import type { SignedIn } from '../../access/sign-in.js';
import { RepositoryRef } from '../../oci/repository.js';
import { clientRequestOf } from '../access/access.plugin.js';
import { applyLimits, isUsedUp } from '../access/rate.limit.js';
import type { CachedResponse } from '../responses/cached.responses.js';

/** Repositories of cached responses, by the text of their targets. */
const repositories = new WeakMap<CachedResponse, RepositoryRef>();

/** That a request may have a response. Nothing of it has been counted. */
export interface Grant {
  readonly recalled: Recalled;
  readonly client: ClientOrigin;
  /** Number of the rule that allows it. */
  readonly rule: number;
  readonly allotment: Allotment | undefined;
}

/**
 * Decides for requests whose credentials have been accepted before, without waiting, by the access file, users, robots,
 * keys and limits of this moment. Whatever it does not allow is for the hook of the framework to decide.
 */
export class RecalledAccess {
  constructor(private readonly access: AccessService) {}

  /** @param authorization the only header of that name, if there is one */
  decide(request: IncomingMessage, authorization: string | undefined, cached: CachedResponse): Grant | undefined {
    const client = this.access.clientOf(clientRequestOf({ raw: request }));
    const recalled = this.access.recall(authorization, client);
    if (!recalled) return undefined;
    const decision = this.access.decide(recalled.signedIn, 'pull', repositoryOf(cached));
    if (!decision.isAllowed) return undefined;
    const allotment = this.access.allotmentOf(recalled.signedIn, client.address);
    if (allotment && isUsedUp(allotment, cached)) return undefined;
    return { recalled, client, rule: decision.rule, allotment };
  }

  /** Counts and notes what has been decided, as the hook does. @returns who sent the request */
  apply(grant: Grant, cached: CachedResponse, id: string, response: ServerResponse): SignedIn {
    const { recalled, client, rule, allotment } = grant;
    const { signedIn } = recalled;
    this.access.countRecalled(recalled);
    this.access.statistics.decisions.pull.allowed += 1;
    if (allotment) applyLimits(allotment, { ...cached, socket: response.req.socket }, response);
    if (this.access.isAudited)
      this.access.note({
        request: id,
        address: client.address,
        signedIn,
        action: 'pull',
        repository: cached.repository,
        ...(cached.reference !== '' && { reference: cached.reference }),
        rule: rule - 1,
      });
    return signedIn;
  }
}

function repositoryOf(cached: CachedResponse): RepositoryRef {
  const known = repositories.get(cached) ?? RepositoryRef.parse(cached.repository);
  repositories.set(cached, known);
  return known;
}
