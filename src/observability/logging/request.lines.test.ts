import fastify from 'fastify';
import { expect, it } from 'vitest';
import { JsonLogger } from './json.logger.js';
import { RequestLines } from './request.lines.js';
import { logRequests } from './request.log.js';

const withoutTimes = (line: string) =>
  line
    .replace(/"time":"[^"]+Z"/, '"time":…')
    .replace(/"bytes":\d+,"duration":\d+/, '"bytes":…')
    .replace(/"id":"[^"]+"/, '"id":…');

it.each([undefined, 2])('are those of the framework, byte by byte, of worker %s', async (worker) => {
  const written: string[] = [];
  const logger = new JsonLogger('info', { write: (line) => void written.push(line) }, worker);
  const app = fastify();
  logRequests(app, logger.pino);
  app.get('/v2/:repository/manifests/:reference', (_request, reply) => {
    reply.raw.setHeader('x-cache', 'HIT');
    return reply.send('x');
  });
  const names = { repository: 'registry.test/te"am\\/ä\u2028', reference: '1"' };
  const url = `/v2/${encodeURIComponent(names.repository)}/manifests/${encodeURIComponent(names.reference)}`;
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  expect((await fetch(`${address}${url}`)).status).toBe(200);
  await app.close();
  const write = new RequestLines(logger).prepare({ method: 'GET', ...names, cache: 'HIT' });
  const response = { id: 'x', status: 200, isComplete: true, bytes: 1, duration: 1 };
  write(response);
  write({ ...response, isComplete: false });
  const [first, second, third] = written.map(withoutTimes);
  expect(second).toBe(first);
  expect(JSON.parse(written[1]!)).toMatchObject({ ...names, status: 200, cache: 'HIT', ...(worker && { worker }) });
  expect(third).toBe(first!.replace(',"msg"', ',"aborted":true,"msg"'));
});
