import { errorDocument, type OciError } from '../../oci/error.js';
import { commonHeaders, type HttpResponse } from './http.response.js';

/** The specification's error document for an error. */
export function errorResponse(error: OciError): HttpResponse {
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
