import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../oci/error.js';
import type { TakeChunk } from '../../registry/push.js';
import { IncomingBody } from './incoming.body.js';

const size = 4 * 1024 * 1024;
const content = Buffer.alloc(size, 'content ');

/** Gives an action the body of a request that a client sends. @param sent of it, before the client waits for ever. */
async function withBody<T>(action: (body: IncomingBody, leave: () => void) => Promise<T>, sent = size): Promise<T> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const sending = request({ host: '127.0.0.1', port, method: 'PUT', headers: { 'content-length': size } });
    sending.on('error', () => undefined);
    if (sent === size) sending.end(content);
    else sending.write(content.subarray(0, sent));
    const [incoming, response] = (await once(server, 'request')) as ConstructorParameters<typeof IncomingBody>;
    return await action(new IncomingBody(incoming, response, 10_000, () => undefined), () => sending.destroy());
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** The hash of a body that is read chunk by chunk, and how many bytes of all chunks are in memory in the end. */
async function collect(body: IncomingBody): Promise<{ hash: string; kept: number }> {
  const [all, chunks] = [createHash('sha256'), [] as Uint8Array[]];
  for await (const chunk of body.chunks()) {
    all.update(chunk);
    chunks.push(chunk);
  }
  return { hash: all.digest('hex'), kept: chunks.reduce((sum, { length }) => sum + length, 0) };
}

const hash = createHash('sha256').update(content).digest('hex');
const noSignal = new AbortController().signal;

describe('a body read in chunks', () => {
  it('frees each chunk of an upload when the next is requested', async () => {
    const streamed = (body: IncomingBody) => {
      body.stream();
      return collect(body);
    };
    expect(await withBody(streamed)).toEqual({ hash, kept: 0 });
  });

  it('leaves the chunks of other bodies to those who collect them', async () => {
    expect(await withBody(collect)).toEqual({ hash, kept: size });
  });
});

describe('a body that is passed on', () => {
  const passed = (take: TakeChunk, { signal = noSignal, sent = size }: PassOptions = {}) =>
    withBody(async (body) => {
      body.stream();
      await body.pass(take, signal);
      return body;
    }, sent);

  it.each(['at once', 'later', 'now and then'])('arrives whole and in order when it is taken %s', async (when) => {
    const all = createHash('sha256');
    const chunks: Uint8Array[] = [];
    let isTaking = false;
    const take = (chunk: Uint8Array) => {
      expect(isTaking).toBe(false);
      all.update(chunk);
      chunks.push(chunk);
      if (when === 'at once' || (when === 'now and then' && chunks.length % 3 > 0)) return undefined;
      isTaking = true;
      return delay(1).then(() => {
        expect(chunk.length).toBeGreaterThan(0);
        isTaking = false;
      });
    };
    expect((await passed(take)).received).toBe(size);
    expect(all.digest('hex')).toBe(hash);
    expect(chunks.filter(({ length }) => length > 0)).toEqual([]);
  });

  it('goes on behind what has been taken after an error', async () => {
    const all = createHash('sha256');
    await withBody(async (body) => {
      body.stream();
      const failures = [() => Promise.reject(new Error('later')), () => fail('at once')];
      for (const failure of failures) {
        const take = (chunk: Uint8Array) => {
          all.update(chunk);
          return failure();
        };
        await expect(body.pass(take, noSignal)).rejects.toThrow(/later|at once/);
        // Nothing is passed on meanwhile, and nothing gets lost.
        await delay(20);
      }
      await body.pass((chunk) => void all.update(chunk), noSignal);
    });
    expect(all.digest('hex')).toBe(hash);
  });

  it('waits no longer when the signal is aborted, but for the chunk that is being taken', async () => {
    const reason = new OciError('BLOB_UPLOAD_INVALID', 'another request continues this upload');
    const early = new AbortController();
    setTimeout(() => early.abort(reason), 50);
    await expect(passed(() => undefined, { signal: early.signal, sent: 100_000 })).rejects.toBe(reason);
    const abort = new AbortController();
    let taken = 0;
    const take = async () => {
      abort.abort(reason);
      await delay(50);
      taken += 1;
    };
    await expect(passed(take, { signal: abort.signal })).rejects.toBe(reason);
    expect(taken).toBe(1);
  });

  it('fails when its client is cut or leaves', async () => {
    const cut = withBody((body) => {
      body.stream();
      setTimeout(() => body.cut(), 50);
      return body.pass(() => undefined, noSignal);
    }, 100_000);
    await expect(cut).rejects.toMatchObject({ status: 408 });
    const left = withBody((body, leave) => {
      setTimeout(leave, 50);
      return body.pass(() => undefined, noSignal);
    }, 100_000);
    await expect(left).rejects.toThrow('the client left');
  });
});

interface PassOptions {
  readonly signal?: AbortSignal;
  readonly sent?: number;
}

function fail(message: string): never {
  throw new Error(message);
}
