import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import { accessKey, region, secretKey, type BucketAddress } from '../s3/bucket.js';
import type { Scope } from '../scope.js';
import type { Ground } from './peer.js';

export const mirrorNamespace = 'registry.test';
/** What is pushed to it. */
export const hostedNamespace = 'hosted.test';
/** The same registry, whose tags are asked about every time. */
export const restlessNamespace = 'restless.test';

const entry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** This repository's build, mirroring one upstream into an empty folder or bucket. */
export function startMirror(ground: Ground, variant: readonly string[] = []): Promise<Server> {
  const { scope, folder, upstream, root, bucket, node, takesPushes } = ground;
  const content = bucket ?? root ?? join(folder, 'content');
  const options = takesPushes ? ['--hosted-namespace', hostedNamespace, '--allow-anonymous-push'] : [];
  return serveMirror(scope, {
    ...{ folder, content, node, upstreams: configuration(upstream) },
    options: () => [...options, ...variant],
  });
}

interface MirrorSettings {
  /** Where its configuration and its log go. */
  readonly folder: string;
  readonly content: string | BucketAddress;
  readonly node: string;
  /** The content of its upstream file. */
  readonly upstreams: string;
  /** Further options of its command line. */
  readonly options: (origin: string) => readonly string[];
}

/** This repository's build with upstreams and options of the caller's choice. */
export async function serveMirror(scope: Scope, settings: MirrorSettings): Promise<Server> {
  const { folder, content, node, options } = settings;
  const address = `127.0.0.1:${await freePort()}`;
  const admin = `127.0.0.1:${await freePort()}`;
  const upstreams = join(folder, 'upstreams.yaml');
  await writeFile(upstreams, settings.upstreams);
  return Server.start(scope, {
    command: node,
    // As in the image and the systemd unit.
    environment: { UV_THREADPOOL_SIZE: '16' },
    args: [
      entry,
      // Its own request log, one line a request, is off as the other's is (docker-registry.peer.ts).
      ...['--listen', address, '--admin-listen', admin, '--upstream-config-file', upstreams, '--log-level', 'error'],
      ...options(`http://${address}`),
      ...(typeof content === 'string' ? ['filesystem', '--root', content] : inBucket(content)),
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
