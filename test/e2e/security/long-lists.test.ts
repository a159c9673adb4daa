import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { once } from 'node:events';
import { beforeAll, expect, it } from 'vitest';
import { chunked, head, ScriptedUpstream } from '../../fakes/scripted-upstream.js';
import { Folder } from '../support/folder.js';
import { Probe } from '../support/probe.js';
import { build, Program } from '../support/program.js';

beforeAll(build, 180_000);

const part = Buffer.from(Array.from({ length: 8_000 }, (_, index) => `"v${index}-${'x'.repeat(118)}"`).join(','));
const parts = [
  Buffer.from('{"tags":['),
  ...Array.from({ length: 100 }, () => [part, Buffer.from(',')]).flat(),
  part,
  Buffer.from(']}'),
];
const size = parts.reduce((sum, { length }) => sum + length, 0);

/** Bytes of a list, read and dropped. */
async function lengthOf(url: string): Promise<number> {
  const sent = http.get(url, { agent: false });
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  return length;
}

it('lists of 100 MB for 4 clients are passed on in the memory of a few small ones', { timeout: 180_000 }, async () => {
  await using upstream = await ScriptedUpstream.start();
  await using folder = await Folder.make();
  upstream.on('GET', /tags\/list/, [head(200, { 'transfer-encoding': 'chunked' }), chunked(parts)]);
  const file = folder.file('upstreams.yaml');
  writeFileSync(file, `- {namespace: large.test, host: '${upstream.host}', tls: false}`);
  const options = ['--listen', '127.0.0.1:0', '--upstream-config-file', file];
  await using program = await Program.start(options, { cwd: folder.path });
  await using probe = new Probe(`${program.url}/healthz`);
  const start = performance.now();
  const lengths = await Promise.all(
    Array.from({ length: 4 }, (_, index) => lengthOf(`${program.url}/v2/large.test/app${index}/tags/list`)),
  );
  const seconds = (performance.now() - start) / 1000;
  const { p99, slowdown } = await probe.end();
  const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024;
  const delay = p99 / Math.max(1, slowdown);
  console.log(
    `4 lists of ${(size / 1e6).toFixed(0)} MB: ${seconds.toFixed(1)} s, peak ${peak.toFixed(0)} MiB, p99 of others ${delay.toFixed(0)} ms`,
  );
  // `"name":"app0",`
  expect(lengths).toEqual(Array(4).fill(size + 14));
  expect(peak).toBeLessThanOrEqual(250);
});
