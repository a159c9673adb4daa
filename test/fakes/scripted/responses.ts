import { respondWithBytes } from '../byte-response.js';
import { bytes, cut, head, type Headers, reset, type Script, silence, type Step } from './steps.js';

export interface ContentOptions {
  /** Added to, and in place of, the usual headers; an `etag` here is also what If-Range is compared with. */
  readonly headers?: Readonly<Record<string, string>>;
  /** False: Range is answered with 200 and everything. */
  readonly ranges?: boolean;
}

/** The truth: content with its length, HEAD, a single Range and If-Range as they should be. */
export function content(body: Buffer, options: ContentOptions = {}): Script {
  return served(body, options, (part) => [bytes(part)]);
}

/** The truth, until `sent` bytes of the body have gone out; then FIN. A resumed request gets `sent` more. */
export function cutAfter(body: Buffer, sent: number, options: ContentOptions = {}): Script {
  return served(body, options, (part) => [bytes(part.subarray(0, sent)), cut()]);
}

/** The same with RST. */
export function resetAfter(body: Buffer, sent: number, options: ContentOptions = {}): Script {
  return served(body, options, (part) => [bytes(part.subarray(0, sent)), reset()]);
}

/** The same with silence: the connection stays, no byte comes any more. */
export function stallAfter(body: Buffer, sent: number, options: ContentOptions = {}): Script {
  return served(body, options, (part) => [bytes(part.subarray(0, sent)), silence()]);
}

/** Redirects; the location may be relative, the same path again (a loop), or on a host of any kind. */
export function redirect(location: string, status = 307): Script {
  return [head(status, { location, 'content-length': 0 })];
}

/** 401 with one `WWW-Authenticate` header for each challenge. */
export function challenge(...challenges: string[]): Script {
  return [head(401, { 'www-authenticate': challenges, 'content-length': 0 })];
}

/** Any status with a small body of its right length. */
export function plain(status: number, body = '', headers: Headers = {}): Script {
  const payload = Buffer.from(body);
  const whole = head(status, { ...headers, 'content-length': payload.length });
  return { respond: ({ method }) => (method === 'HEAD' ? [whole] : [whole, bytes(payload)]) };
}

function served(body: Buffer, options: ContentOptions, send: (part: Buffer) => readonly Step[]): Script {
  return {
    respond: ({ method, headers: asked }) => {
      const conditions = method === 'HEAD' ? {} : asked;
      const part = respondWithBytes(body, options.headers?.etag, conditions, options.ranges ?? true);
      const type = { 'content-type': 'application/octet-stream', 'content-length': part.body.length };
      const start = head(part.status, { ...type, ...part.headers, ...options.headers });
      return method === 'HEAD' || part.body.length === 0 ? [start] : [start, ...send(part.body)];
    },
  };
}
