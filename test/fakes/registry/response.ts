/** An answer until it reaches the socket. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

export function jsonResponse(status: number, document: unknown, headers: HttpResponse['headers'] = {}): HttpResponse {
  const body = Buffer.from(JSON.stringify(document));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** The specification's error document. */
export function errorResponse(
  status: number,
  code: string,
  message = code,
  headers: HttpResponse['headers'] = {},
): HttpResponse {
  return jsonResponse(status, { errors: [{ code, message }] }, headers);
}
