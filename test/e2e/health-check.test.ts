import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';

/** The health check of the image, as a container runtime runs it. @returns its exit code */
async function check(listen: string | undefined): Promise<number> {
  const dockerfile = await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8');
  const [, command = ''] = /HEALTHCHECK[^\n]*\\\n\s*CMD (\[.*\])\n/.exec(dockerfile) ?? [];
  const [, ...args] = JSON.parse(command) as string[];
  const env = { PATH: process.env.PATH, ...(listen !== undefined && { LISTEN: listen }) };
  const child = execFile(process.execPath, args, { env });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}

/** A server that has a health of that status. @returns its port, or undefined where there is no such address */
async function serve(host: string, status: number) {
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? status : 404).end();
  });
  server.listen({ host, port: 0, ipv6Only: true });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => void server.close() };
}

const hasIpv6 = await serve('::1', 200).then(
  (server) => {
    server[Symbol.dispose]();
    return true;
  },
  () => false,
);

describe('the health check of the image', () => {
  it.each<readonly [host: string, listen: string]>([
    ['127.0.0.1', '0.0.0.0'],
    ['127.0.0.1', ''],
    ['127.0.0.1', '[::]'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.2', '127.0.0.2'],
    ['127.0.0.1', 'localhost'],
    ...(hasIpv6
      ? ([
          ['::1', ''],
          ['::1', '[::]'],
          ['::1', '[::1]'],
        ] as const)
      : []),
  ])('finds a server at %s that is told to listen on "%s"', async (host, listen) => {
    using healthy = await serve(host, 200);
    using ill = await serve(host, 503);
    expect([await check(`${listen}:${healthy.port}`), await check(`${listen}:${ill.port}`)]).toEqual([0, 1]);
  });

  it('fails where nothing listens', async () => {
    const server = await serve('127.0.0.1', 200);
    server[Symbol.dispose]();
    expect(await check(`:${server.port}`)).toBe(1);
  });
});
