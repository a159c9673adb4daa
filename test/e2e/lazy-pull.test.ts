import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { request } from '../fakes/request.js';
import { Folder } from './support/folder.js';
import { build, Program } from './support/program.js';

beforeAll(build, 180_000);

const size = 2_000_000_000;
const rate = 100_000_000;
const part = 64 * 1024;

/** The byte at each place of the layer. */
function slice(first: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - first + 1);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = (first + index) % 251;
  return bytes;
}

/** A registry with one layer of 2 GB, which it sends at 100 MB/s; what belongs to a range comes at once. */
const registry = http.createServer((asked, response) => {
  const [, first, end] = /^bytes=(\d*)-(\d*)$/.exec(asked.headers.range ?? '') ?? [];
  if (first === undefined || end === undefined) {
    response.writeHead(200, { 'content-length': size });
    void sendSlowly(response);
    return;
  }
  const from = first === '' ? size - Number(end) : Number(first);
  const body = slice(from, first === '' || end === '' ? size - 1 : Number(end));
  response.writeHead(206, {
    'content-length': body.length,
    'content-range': `bytes ${from}-${from + body.length - 1}/${size}`,
  });
  response.end(body);
});

/** Until the client leaves. */
async function sendSlowly(response: http.ServerResponse): Promise<void> {
  const chunk = Buffer.alloc(rate / 100);
  const start = performance.now();
  const slices = async function* () {
    for (let sent = 0; sent < size; sent += chunk.length) {
      const due = (sent / rate) * 1000 - (performance.now() - start);
      if (due > 0) await sleep(due);
      yield chunk;
    }
  };
  await pipeline(Readable.from(slices(), { highWaterMark: 1 }), response).catch(() => response.destroy());
}

it('the last 64 KiB of a cold layer of 2 GB behind 100 MB/s come within 200 ms', { timeout: 120_000 }, async () => {
  await once(registry.listen(0, '127.0.0.1'), 'listening');
  const { port } = registry.address() as AddressInfo;
  await using folder = await Folder.make();
  const file = folder.file('upstreams.yaml');
  writeFileSync(file, `- {namespace: large.test, host: '127.0.0.1:${port}', tls: false}`);
  const options = ['--listen', '127.0.0.1:0', '--upstream-config-file', file];
  await using program = await Program.start(options, { cwd: folder.path });
  // What is loaded with the first request to a registry.
  await request(`${program.url}/v2/large.test/app/blobs/sha256:${'0'.repeat(64)}`, { headers: { range: 'bytes=-1' } });
  const times: number[] = [];
  for (const [index, range] of [
    `bytes=${size - part}-${size - 1}`,
    `bytes=${size - part}-`,
    `bytes=-${part}`,
  ].entries()) {
    const digest = `sha256:${String(index + 1).repeat(64)}`;
    const start = performance.now();
    const reply = await request(`${program.url}/v2/large.test/app/blobs/${digest}`, { headers: { range } });
    times.push(performance.now() - start);
    expect([reply.status, reply.headers['content-range']]).toEqual([206, `bytes ${size - part}-${size - 1}/${size}`]);
    expect(reply.body.equals(slice(size - part, size - 1))).toBe(true);
  }
  console.log(`last 64 KiB of a cold layer of 2 GB: ${times.map((time) => time.toFixed(0)).join(', ')} ms`);
  registry.closeAllConnections();
  registry.close();
  for (const time of times) expect(time).toBeLessThanOrEqual(200);
});
