import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../processes/port.js';
import { Server } from '../processes/server.js';
import { accessKey, region, secretKey, type BucketAddress } from '../s3/bucket.js';
import type { Scope } from '../scope.js';

interface RegistrySettings {
  /** Where its configuration and its log go. */
  readonly folder: string;
  /** A folder or a bucket. */
  readonly storage: string | BucketAddress;
  /** Makes it a pull-through cache of this registry. */
  readonly upstream?: string;
}

/** Debian's docker-registry: as a registry over a folder or a bucket, or as a pull-through cache. */
export async function startRegistry(scope: Scope, settings: RegistrySettings): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(settings.folder, 'config.yml');
  await writeFile(config, configuration(address, settings));
  return Server.start(scope, {
    command: 'docker-registry',
    args: ['serve', config],
    origin: `http://${address}`,
    logFile: join(settings.folder, 'log'),
  });
}

// Debian's own configuration, without its password, and as quiet as it can be: it would otherwise write two lines a
// request, one of them its access log. The mirror runs with its request log off too (mirror.peer.ts).
function configuration(address: string, { storage, upstream }: RegistrySettings): string {
  const proxy = upstream === undefined ? '' : `proxy:\n  remoteurl: ${upstream}\n`;
  return `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
${typeof storage === 'string' ? inFolder(storage) : inBucket(storage)}
  delete:
    enabled: true
http:
  addr: ${address}
  secret: benchmark
  headers:
    X-Content-Type-Options: [nosniff]
${proxy}`;
}

function inFolder(folder: string): string {
  return `  filesystem:
    rootdirectory: ${folder}`;
}

// It would otherwise send clients to the bucket; both peers are to send the bytes themselves.
function inBucket({ endpoint, name }: BucketAddress): string {
  return `  s3:
    regionendpoint: ${endpoint}
    region: ${region}
    bucket: ${name}
    accesskey: ${accessKey}
    secretkey: ${secretKey}
    secure: false
  redirect:
    disable: true`;
}
