/** A request as it came over the socket. */
export interface ScriptedRequest {
  readonly method: string;
  /** The request target: path and query. */
  readonly path: string;
  /** Names in lower case; repeated fields joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Which connection it came over: 1 for the first accepted. */
  readonly connection: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Bytes of the answer's body given to the socket; raw bytes and heads do not count. */
  bodyBytes: number;
}

const longestHead = 1024 * 1024;

/** Cuts what arrives on one connection into requests, bodies included (RFC 9112 §3, §6, §7.1). */
export class RequestParser {
  #pending: Buffer = Buffer.alloc(0);

  constructor(private readonly connection: number) {}

  /** @throws Error when the bytes are no HTTP/1.1 request. */
  push(chunk: Buffer): ScriptedRequest[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const requests: ScriptedRequest[] = [];
    for (let request = this.#take(); request; request = this.#take()) requests.push(request);
    return requests;
  }

  #take(): ScriptedRequest | undefined {
    const end = this.#pending.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#pending.length > longestHead) throw new Error('no end of the request head');
      return undefined;
    }
    const [start = '', ...lines] = this.#pending.subarray(0, end).toString('latin1').split('\r\n');
    const [, method, path] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(start) ?? [];
    if (method === undefined || path === undefined) throw new Error(`not a request: ${JSON.stringify(start)}`);
    const headers = parseHeaders(lines);
    const rest = this.#pending.subarray(end + 4);
    const framed =
      headers['transfer-encoding'] === 'chunked' ? takeChunks(rest) : takeLength(rest, headers['content-length']);
    if (!framed) return undefined;
    this.#pending = rest.subarray(framed.size);
    return { method, path, headers, body: framed.body, connection: this.connection, at: Date.now(), bodyBytes: 0 };
  }
}

interface Framed {
  readonly body: Buffer;
  /** Bytes that the body takes on the wire. */
  readonly size: number;
}

function parseHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error(`not a header: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

function takeLength(rest: Buffer, length = '0'): Framed | undefined {
  const size = Number(length);
  return rest.length < size ? undefined : { body: rest.subarray(0, size), size };
}

function takeChunks(rest: Buffer): Framed | undefined {
  const parts: Buffer[] = [];
  for (let offset = 0; ;) {
    const line = rest.indexOf('\r\n', offset);
    if (line === -1) return undefined;
    const size = Number.parseInt(rest.subarray(offset, line).toString('latin1'), 16);
    if (!(size >= 0)) throw new Error('not a chunk');
    const next = line + 2 + size + 2;
    if (rest.length < next) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), size: next };
    parts.push(rest.subarray(line + 2, line + 2 + size));
    offset = next;
  }
}
