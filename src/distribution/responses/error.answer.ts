import { errorDocument, type OciError } from '../../oci/error.js';
import { commonHeaders, type Answer } from './answer.js';

/** The specification's error document for an error. */
export function errorAnswer(error: OciError): Answer {
  const body = errorDocument(error);
  return {
    status: error.status,
    headers: {
      ...commonHeaders,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(error.retryAfter !== undefined && { 'retry-after': error.retryAfter }),
      ...(error.code === 'UNSUPPORTED' && { allow: 'GET, HEAD' }),
    },
    body,
  };
}
