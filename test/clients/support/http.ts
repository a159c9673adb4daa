import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';

/**
 * The status of a GET, or undefined while nothing answers there.
 * @param ca authority to trust, PEM; with one it is a GET over https.
 */
export function statusOf(target: http.RequestOptions, ca?: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const { get } = ca === undefined ? http : https;
    const request = get({ timeout: 5_000, agent: false, ...target, ca }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(undefined));
  });
}

/** A port of 127.0.0.1 that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Listens on a port of 127.0.0.1; 0 takes any free one. */
export function listen(server: net.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
