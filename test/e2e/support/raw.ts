import { connect } from 'node:net';

export interface RawReply {
  readonly status: number;
  /** Names in lower case; of a repeated field the last one. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RawOptions {
  /** Milliseconds for the whole answer. */
  readonly deadline?: number;
  readonly method?: string;
  /** Lines as they are, each with its own end left out. */
  readonly headers?: readonly string[];
}

/** A request for a target that no HTTP client would send: nothing is normalised, nothing is encoded. */
export function rawRequest(url: string, target: string, options: RawOptions = {}): Promise<RawReply> {
  const { method = 'GET', headers = [] } = options;
  const lines = [`${method} ${target} HTTP/1.1`, 'host: mirror.test', 'connection: close', ...headers];
  return exchange(url, `${lines.join('\r\n')}\r\n\r\n`, options);
}

/** Sends bytes, whatever they are, and reads the first answer. @throws when none comes in time */
export async function exchange(url: string, bytes: string | Buffer, { deadline = 1_000 }: RawOptions = {}) {
  const response = readResponse(await talk(url, bytes, deadline), /^HEAD /.test(bytes.toString('latin1').slice(0, 5)));
  if (!response) throw new Error('there was no answer');
  return response;
}

/** Everything the server says until it ends the connection, or until the first answer is whole. */
export function talk(url: string, bytes: string | Buffer, deadline = 1_000): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const isHead = bytes.toString('latin1').startsWith('HEAD ');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    const timer = setTimeout(() => end(new Error(`no whole answer within ${deadline} ms`)), deadline);
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    };
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (readResponse(Buffer.concat(chunks), isHead)?.isWhole === true) end();
    });
    socket.once('close', () => end());
    // A server may reset the connection of somebody who goes on talking; what it said before counts.
    socket.on('error', () => end());
    socket.write(bytes);
  });
}

/** The first answer in what a server said; undefined without a complete head. */
export function readResponse(said: Buffer, isHead = false): (RawReply & { readonly isWhole: boolean }) | undefined {
  const end = said.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = said.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = said.subarray(end + 4);
  const length = isHead || status === 304 ? 0 : Number(headers['content-length'] ?? Infinity);
  return { status, headers, body, isWhole: body.length >= length };
}
