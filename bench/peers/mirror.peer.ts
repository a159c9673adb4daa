import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import { accessKey, region, secretKey, type BucketAddress } from '../s3/bucket.js';
import type { Ground } from './peer.js';

export const mirrorNamespace = 'registry.test';
/** The same registry, whose tags are asked about every time. */
export const restlessNamespace = 'restless.test';

const entry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** This repository's build, mirroring one upstream into an empty folder or bucket. */
export async function startMirror({ scope, folder, upstream, root, bucket, node }: Ground): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const admin = `127.0.0.1:${await freePort()}`;
  const upstreams = join(folder, 'upstreams.yaml');
  await writeFile(upstreams, configuration(upstream));
  return Server.start(scope, {
    command: node,
    args: [
      entry,
      // Its own request log, one line a request, is off as the other's is (docker-registry.peer.ts).
      ...['--listen', address, '--admin-listen', admin, '--upstream-config-file', upstreams, '--log-level', 'error'],
      ...(bucket === undefined ? ['filesystem', '--root', root ?? join(folder, 'content')] : inBucket(bucket)),
    ],
    origin: `http://${address}`,
    adminOrigin: `http://${admin}`,
    logFile: join(folder, 'log'),
  });
}

function inBucket({ endpoint, name }: BucketAddress): string[] {
  const credentials = ['--access-key', accessKey, '--secret-key', secretKey];
  return ['s3', '--host', endpoint, '--bucket', name, '--region', region, ...credentials];
}

// Tags stay fresh for longer than a run, as they would between two polls of a real mirror.
function configuration(upstream: string): string {
  return `- namespace: ${mirrorNamespace}
  host: ${new URL(upstream).host}
  tls: false
  manifest_invalidation_time: 1h
- namespace: ${restlessNamespace}
  host: ${new URL(upstream).host}
  tls: false
  manifest_invalidation_time: 0s
`;
}
