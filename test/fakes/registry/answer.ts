/** An answer until it reaches the socket. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

export function jsonAnswer(status: number, document: unknown, headers: Answer['headers'] = {}): Answer {
  const body = Buffer.from(JSON.stringify(document));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** The specification's error document. */
export function errorAnswer(status: number, code: string, message = code, headers: Answer['headers'] = {}): Answer {
  return jsonAnswer(status, { errors: [{ code, message }] }, headers);
}
