import { gzipSync } from 'node:zlib';
import { bytes, chunked, cut, head, type Headers, raw, type Script } from './steps.js';

const octets = { 'content-type': 'application/octet-stream' };

/** Promises the whole body and ends `missing` bytes before its end. */
export function shortBody(body: Buffer, missing = 1): Script {
  return [head(200, { ...octets, 'content-length': body.length }), bytes(body.subarray(0, -missing)), cut()];
}

/** Announces fewer bytes than the content has and sends just those: the framing is right, the content is not whole. */
export function truncatedBody(body: Buffer, missing = 1): Script {
  const part = body.subarray(0, -missing);
  return [head(200, { ...octets, 'content-length': part.length }), bytes(part)];
}

/** Goes on sending after the announced end. */
export function longBody(body: Buffer, extra: Buffer = Buffer.from('extra bytes')): Script {
  return [head(200, { ...octets, 'content-length': body.length }), bytes(Buffer.concat([body, extra])), cut()];
}

/** Announces and sends more than the content has: the framing is right, the content is too long. */
export function paddedBody(body: Buffer, extra: Buffer = Buffer.from('padding')): Script {
  const longer = Buffer.concat([body, extra]);
  return [head(200, { ...octets, 'content-length': longer.length }), bytes(longer)];
}

/** The right length with the last bit of the last byte turned over: only a digest tells. */
export function wrongBytes(body: Buffer, headers: Headers = {}): Script {
  const wrong = Buffer.from(body);
  wrong.writeUInt8((wrong.at(-1) ?? 0) ^ 1, wrong.length - 1);
  return [head(200, { ...octets, 'content-length': wrong.length, ...headers }), bytes(wrong)];
}

/** The content compressed although nobody asked for that. */
export function gzipEncoded(body: Buffer): Script {
  const packed = gzipSync(body);
  return [head(200, { ...octets, 'content-encoding': 'gzip', 'content-length': packed.length }), bytes(packed)];
}

/** A captive portal, or a proxy's error page, with a status that says all is well. */
export function htmlPage(status = 200): Script {
  const page = Buffer.from('<!doctype html><title>Sign in</title><p>Please sign in to the network.');
  return [head(status, { 'content-type': 'text/html', 'content-length': page.length }), bytes(page)];
}

/** No length at all: the body lasts until FIN, so that a cut cannot be told from the end. */
export function untilClosed(body: Buffer): Script {
  return [head(200, { ...octets, connection: 'close' }), bytes(body), cut()];
}

/** Chunks without the last one, then FIN. */
export function unterminatedChunks(body: Buffer): Script {
  return [head(200, { ...octets, 'transfer-encoding': 'chunked' }), chunked([body], { terminator: false }), cut()];
}

/** Answers a Range with 200 and everything. */
export function rangeIgnored(body: Buffer, headers: Headers = {}): Script {
  return [head(200, { ...octets, 'content-length': body.length, ...headers }), bytes(body)];
}

/** 206 whose Content-Range names an offset `shift` bytes beside the one asked for, and sends that part. */
export function rangeShifted(body: Buffer, shift = -1): Script {
  return partial((offset) => {
    const start = Math.max(0, offset + shift);
    return { start, total: body.length, part: body.subarray(start) };
  });
}

/** 206 that names the offset asked for but sends the beginning of the content. */
export function rangeMislabelled(body: Buffer): Script {
  return partial((offset) => ({ start: offset, total: body.length, part: body.subarray(0, body.length - offset) }));
}

/** 206 with the right part, and a total that is `difference` bytes off. */
export function rangeOtherTotal(body: Buffer, difference = 1): Script {
  return partial((offset) => ({ start: offset, total: body.length + difference, part: body.subarray(offset) }));
}

/** 206 without any Content-Range. */
export function rangeUnlabelled(body: Buffer): Script {
  return {
    respond: ({ headers }) => {
      const part = body.subarray(offsetOf(headers.range));
      return [head(206, { ...octets, 'content-length': part.length }), bytes(part)];
    },
  };
}

/** Two lengths that differ. */
export function twoLengths(body: Buffer): Script {
  const length = [String(body.length), String(body.length + 1)];
  return [head(200, { ...octets, 'content-length': length }), bytes(body), cut()];
}

/** Headers without end, until the client leaves. */
export function endlessHeaders(): Script {
  return [
    raw('HTTP/1.1 200 OK\r\n'),
    async (peer) => {
      for (let count = 0; !peer.signal.aborted; count += 1)
        await peer.write(`x-filler-${count}: ${'x'.repeat(1000)}\r\n`);
    },
  ];
}

/** Not HTTP at all. */
export function garbageStatusLine(): Script {
  return [raw('\u0000\u0001 SSH-2.0-OpenSSH_9.2\r\n\r\n'), cut()];
}

interface Part {
  readonly start: number;
  readonly total: number;
  readonly part: Buffer;
}

function partial(choose: (offset: number) => Part): Script {
  return {
    respond: ({ headers }) => {
      const { start, total, part } = choose(offsetOf(headers.range));
      const range = `bytes ${start}-${start + part.length - 1}/${total}`;
      return [head(206, { ...octets, 'content-length': part.length, 'content-range': range }), bytes(part)];
    },
  };
}

/** Where an open-ended or closed range begins; 0 without one. */
const offsetOf = (range = ''): number => Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0);
