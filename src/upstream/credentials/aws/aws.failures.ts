import type { CloudResponse } from '../cloud.client.js';
import type { AwsKeys } from './keys/aws.keys.js';

/** A call of an operation of ECR or STS. */
export interface AwsCall {
  /** For messages: `ECR`, `STS`. */
  readonly name: string;
  readonly operation: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Undefined for operations that are not signed. */
  readonly signing?: { readonly keys: AwsKeys; readonly region: string; readonly service: string };
  /** Who calls, for messages. */
  readonly caller: string;
  /** What to do when AWS denies the call, in the imperative. */
  readonly whenDenied: string;
}

type Failure = CloudResponse & { readonly code: string | undefined };

/** Milliseconds by which AWS lets a clock be wrong. */
const toleratedSkew = 240_000;

/** One line for a response that is an error: the operation, the status and AWS's code, and what to do. Never its text. */
export function explainFailure(call: AwsCall, failure: Failure, now: number): string {
  const { name, operation, url } = call;
  const code = failure.code === undefined ? '' : ` ${failure.code}`;
  const advice = adviceFor(call, failure, now);
  return `${name} at ${url.host} responded to ${operation} with ${failure.status}${code}${advice === undefined ? '' : `: ${advice}`}`;
}

function adviceFor(call: AwsCall, failure: Failure, now: number): string | undefined {
  const { caller, whenDenied } = call;
  if (isAboutTime(failure)) return skewAdvice(failure, now);
  switch (failure.code?.replace(/Exception$/, '')) {
    case 'AccessDenied':
    case 'UnauthorizedOperation':
      return `${caller} may not do this; ${whenDenied}`;
    case 'InvalidClientTokenId':
    case 'UnrecognizedClient':
      return `AWS does not know the keys of ${caller}: they were deactivated or deleted, are for another service or partition, or lack their session token`;
    case 'ExpiredToken':
      return `${caller} has expired: renew what it comes from`;
    case 'SignatureDoesNotMatch':
    case 'InvalidSignature':
    case 'IncompleteSignature':
      return `the secret key of ${caller} does not belong to its access key id, or is incomplete`;
    case 'InvalidIdentityToken':
      return `the account of the role does not accept ${caller}: it needs the cluster's OIDC issuer as an identity provider with the audience of the token`;
    case 'IDPRejectedClaim':
      return `the identity provider rejected ${caller}`;
    case 'RegionDisabled':
      return `activate STS for the region in the account, or set AWS_REGION to another one`;
    case undefined:
      return failure.status < 400 || failure.status >= 500
        ? undefined
        : 'this is no response of AWS: check the region and the endpoint';
    default:
      return undefined;
  }
}

/** ECR and STS use the codes of wrong signatures for wrong clocks, and say so only in the text. */
function isAboutTime({ code = '', text }: Failure): boolean {
  if (/^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/.test(code)) return true;
  return /Signature(DoesNotMatch|Exception)/.test(code) && /Signature (expired|not yet current)/.test(text);
}

function skewAdvice({ headers }: Failure, now: number): string {
  const theirs = Date.parse(headers.date ?? '');
  const skew = now - theirs;
  const measured =
    Number.isNaN(skew) || Math.abs(skew) < toleratedSkew ? '' : ` by ${Math.round(Math.abs(skew) / 60_000)} min`;
  const direction = measured === '' ? 'wrong' : skew > 0 ? 'ahead' : 'behind';
  return `the clock of this machine is ${direction}${measured}: synchronize it`;
}
