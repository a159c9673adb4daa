import type { CloudResponse } from '../cloud.client.js';
import { retrying } from '../cloud.retry.js';
import { CredentialError } from '../credential.source.js';
import type { AwsContext } from './keys/aws.keys.js';
import { explainFailure, type AwsCall } from './aws.failures.js';
import { sign } from './signature.js';
import { readXml } from './xml.js';

/**
 * The body of the successful response. Throttling and errors of the service are retried for some seconds.
 * @throws CredentialError with the operation, the status, AWS's error code and what to do
 */
export async function callAws(call: AwsCall, { client, clock }: AwsContext, signal: AbortSignal): Promise<string> {
  const { url, headers, body, signing } = call;
  const send = () => {
    const request = { method: 'POST', url, headers, body } as const;
    // Signed anew for each attempt: a signature is valid for minutes.
    const signed = signing ? sign(request, signing.keys, { ...signing, now: clock.now() }) : headers;
    return client.send({ ...request, headers: signed, signal });
  };
  let response: CloudResponse;
  try {
    response = await retrying(send, signal, (failed) => isThrottling(codeOf(failed)));
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    throw new CredentialError(`${call.name}: ${error.message}`);
  }
  if (response.status === 200) return response.text;
  throw new CredentialError(explainFailure(call, { ...response, code: codeOf(response) }, clock.now()));
}

const isThrottling = (code: string | undefined) => /^(Throttl|RequestLimitExceeded$|TooManyRequests)/.test(code ?? '');

/**
 * AWS's code of an error: `__type` of JSON protocols, `ErrorResponse/Error/Code` of STS. Only letters, so that no secret of
 * a response passes for one.
 */
function codeOf({ status, text }: CloudResponse): string | undefined {
  if (status === 200) return undefined;
  const stated = text.trimStart().startsWith('<') ? readXml(text)?.get('ErrorResponse/Error/Code') : typeOf(text);
  return /^(?:[\w.]+#)?([A-Za-z]{1,64})$/.exec(stated ?? '')?.[1];
}

function typeOf(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const type: unknown =
      parsed !== null && typeof parsed === 'object' && '__type' in parsed ? parsed.__type : undefined;
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}
