import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Digest } from '../../src/oci/digest.js';
import { Mirror } from '../e2e/support/mirror.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const mebibyte = 1024 * 1024;
/** More than what is hashed in a thread has at least. */
const size = 10 * mebibyte;

/** A registry of one blob, whose first byte changes. */
async function serve() {
  const content = Buffer.alloc(size, 'content');
  const server = http.createServer((_, response) => response.setHeader('content-length', size).end(content));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    content,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The digest of a body, of which nothing is kept. */
async function hashOf(url: string): Promise<string> {
  const hash = createHash('sha256');
  const [body] = (await once(http.get(url, { agent: false }), 'response')) as [http.IncomingMessage];
  for await (const chunk of body) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/** Bytes of the heap, and of what it holds outside. */
async function used(): Promise<number> {
  for (let time = 0; time < 3; time += 1) {
    await sleep(50);
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it('cold pulls of 200 MiB leave less than 1 MiB in memory', async () => {
  await using upstream = await serve();
  const { host, content } = upstream;
  await using mirror = await Mirror.start({ upstreams: [{ namespace: 'registry.test', host }] });
  const pulls = async (from: number, to: number) => {
    for (let index = from; index < to; index += 1) {
      content.writeUInt8(index, 0);
      const digest = Digest.of(content).toString();
      expect(await hashOf(`${mirror.url}/v2/registry.test/app/blobs/${digest}`)).toBe(digest);
    }
    await mirror.settled();
  };
  // Blocks, buffers and compiled code stay.
  await pulls(0, 20);
  const before = await used();
  await pulls(20, 40);
  expect((await used()) - before).toBeLessThan(mebibyte);
});
