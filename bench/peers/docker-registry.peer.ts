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
  /** What it signs in to that registry with. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  /** The file of users that clients have to be in. */
  readonly htpasswd?: string | undefined;
  /** The program, when it is not Debian's. */
  readonly program?: string;
}

/** Debian's docker-registry, or a later one: as a registry over a folder or a bucket, or as a pull-through cache. */
export async function startRegistry(scope: Scope, settings: RegistrySettings): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(settings.folder, 'config.yml');
  await writeFile(config, configuration(address, settings));
  return Server.start(scope, {
    command: settings.program ?? 'docker-registry',
    args: ['serve', config],
    // Distribution 3 would otherwise look for a collector of traces on this machine.
    environment: { OTEL_TRACES_EXPORTER: 'none' },
    origin: `http://${address}`,
    logFile: join(settings.folder, 'log'),
  });
}

// Debian's own configuration, without its password, and as quiet as it can be: it would otherwise write two lines a
// request, one of them its access log. The mirror runs with its request log off too (mirror.peer.ts).
function configuration(address: string, settings: RegistrySettings): string {
  const { storage } = settings;
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
${proxy(settings)}${users(settings)}`;
}

function proxy({ upstream, credentials }: RegistrySettings): string {
  if (upstream === undefined) return '';
  const { username, password } = credentials ?? {};
  const login = username === undefined ? '' : `  username: ${username}\n  password: ${password}\n`;
  return `proxy:\n  remoteurl: ${upstream}\n${login}`;
}

function users({ htpasswd }: RegistrySettings): string {
  return htpasswd === undefined ? '' : `auth:\n  htpasswd:\n    realm: benchmark\n    path: ${htpasswd}\n`;
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
    forcepathstyle: true
  redirect:
    disable: true`;
}
