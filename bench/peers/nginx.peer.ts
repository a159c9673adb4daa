import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import type { Scope } from '../scope.js';

/** nginx over the blobs of the source registry's storage: sendfile, no registry at all, what the machine can do. */
export async function startNginx(scope: Scope, folder: string, storage: string): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(folder, 'nginx.conf');
  await writeFile(config, configuration(address, folder, storage));
  return Server.start(scope, {
    command: 'nginx',
    args: ['-c', config, '-p', folder, '-e', join(folder, 'error.log')],
    origin: `http://${address}`,
    logFile: join(folder, 'log'),
  });
}

function configuration(address: string, folder: string, storage: string): string {
  const blobs = join(storage, 'docker/registry/v2/blobs/sha256');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`)
    .join('\n');
  return `daemon off;
user root;
worker_processes 2;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 2048; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
${temporary}
  server {
    listen ${address} backlog=2048;
    location = /v2/ { return 200; }
    location ~ "^/v2/.+/blobs/sha256:([0-9a-f][0-9a-f])([0-9a-f]+)$" {
      default_type application/octet-stream;
      alias ${blobs}/$1/$1$2/data;
    }
  }
}
`;
}
