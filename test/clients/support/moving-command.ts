import { join } from 'node:path';
import type { HostedServer } from './hosted-server.js';
import { run } from './process.js';

const PROJECT = join(import.meta.dirname, '../../..');

/** Runs `import` or `export` at a server. @returns what it printed */
export function movingCommand(server: HostedServer, [name = '', ...args]: readonly string[]): Promise<string> {
  return run(process.execPath, [join(PROJECT, 'dist/main'), name, '--server', `http://${server.address}`, ...args], {
    environment: { DOCKER_CONFIG: '/nowhere' },
  });
}
