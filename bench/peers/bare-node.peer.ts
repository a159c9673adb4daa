import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import type { Ground } from './peer.js';

const program = fileURLToPath(new URL('bare-server.mjs', import.meta.url));

/** A server of `node:http` alone that sends the same bytes from memory: what the platform can do. */
export async function startBareNode({ scope, folder, upstream, node }: Ground): Promise<Server> {
  const port = await freePort();
  return Server.start(scope, {
    command: node,
    args: [program, '127.0.0.1', String(port), upstream],
    origin: `http://127.0.0.1:${port}`,
    logFile: join(folder, 'log'),
  });
}
