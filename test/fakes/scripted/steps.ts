import { STATUS_CODES } from 'node:http';
import type { Peer } from './peer.js';
import type { ScriptedRequest } from './request-parser.js';

/** One thing an upstream does on a connection. */
export type Step = (peer: Peer) => void | Promise<void>;

/** What happens in answer to one request: a step, several in order, or a choice made when the request is known. */
export type Script = Step | readonly Step[] | { readonly respond: (request: ScriptedRequest) => Script };

/** Nothing is added to the headers: without a length or an encoding the body lasts until the connection ends. */
export type Headers = Readonly<Record<string, string | number | readonly string[]>>;

/** Sends bytes as they are: a garbage status line, an interim answer. */
export function raw(text: string | Buffer): Step {
  return (peer) => peer.write(text);
}

/** Status line and headers; a list of values becomes a field each. */
export function head(status: number, headers: Headers = {}): Step {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return raw(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n`);
}

/** A piece of a body, as fast as the client takes it. */
export function bytes(body: Buffer): Step {
  return (peer) => peer.writeBody(body);
}

/** A piece of a body at a rate. */
export function drip(body: Buffer, bytesPerSecond: number): Step {
  return (peer) => peer.writeBody(body, bytesPerSecond);
}

/** The steps of a script for one request. */
export function stepsOf(script: Script, request: ScriptedRequest): readonly Step[] {
  if (typeof script === 'function') return [script];
  return 'respond' in script ? stepsOf(script.respond(request), request) : script;
}

export interface ChunkedOptions {
  /** False leaves out the last chunk, the only sign that the body is complete. */
  readonly terminator?: boolean;
}

/** A body in chunks, one for each part; send `transfer-encoding: chunked` before. */
export function chunked(parts: readonly Buffer[], { terminator = true }: ChunkedOptions = {}): Step {
  return async (peer) => {
    for (const part of parts) {
      await peer.write(`${part.length.toString(16)}\r\n`);
      await peer.writeBody(part);
      await peer.write('\r\n');
    }
    if (terminator) await peer.write('0\r\n\r\n');
  };
}

export function wait(milliseconds: number): Step {
  return (peer) => peer.wait(milliseconds);
}

/** Ends the connection the polite way, with FIN. */
export function cut(): Step {
  return (peer) => peer.end();
}

/** Ends it with RST. What was sent shortly before may be lost at the client: put a `wait` between when it must arrive. */
export function reset(): Step {
  return (peer) => peer.reset();
}

/** Keeps the connection and says nothing until the client leaves or the upstream is closed. */
export function silence(): Step {
  return (peer) => peer.untilGone();
}
