import { IsOptional } from 'class-validator';
import { availableParallelism } from 'node:os';
import {
  AreNetworks,
  IsCount,
  IsDuration,
  IsFlag,
  IsListenAddress,
  IsOrigin,
  IsQuota,
  IsSecret,
  IsSize,
  IsText,
} from '../validation/rules.js';
import { parseBoolean, parseInteger, parseList, Setting } from '../validation/setting.decorator.js';
import { parseDuration } from '../values/duration.js';
import { toSecret, type Secret } from '../values/secret.js';
import { parseQuota, parseSize, type Quota } from '../values/size.js';
import { NamespacesSettings } from './namespaces.settings.js';

/** Each worker has its own memory, so there is no point in more workers than the cores of a large machine. */
const maxWorkers = 64;

function parseWorkers(text: string): number | undefined {
  return text === 'auto' ? Math.min(availableParallelism(), maxWorkers) : parseInteger(text);
}

/** How what is stored is kept, replicas, administration and processes. */
export class OperationSettings extends NamespacesSettings {
  @Setting({
    name: 'check-cache-digest',
    env: 'CHECK_CACHE_DIGEST',
    default: 'false',
    parse: parseBoolean,
    description: 'verify the digest of stored content before it is first served after a start',
  })
  @IsFlag()
  checkCacheDigest = false;

  @Setting({
    name: 'max-size',
    env: 'MAX_SIZE',
    value: 'size',
    parse: parseQuota,
    description: 'maximum size of stored content, such as 50GiB or 80% of the disk; the least recently used is evicted',
  })
  @IsOptional()
  @IsQuota()
  maxSize?: Quota;

  @Setting({
    name: 'max-blob-size',
    env: 'MAX_BLOB_SIZE',
    value: 'size',
    parse: parseSize,
    description:
      'maximum size of a single blob; larger ones are refused; by default only --max-size limits what is stored',
  })
  @IsOptional()
  @IsSize()
  maxBlobSize?: number;

  @Setting({
    name: 'sweep-interval',
    env: 'SWEEP_INTERVAL',
    value: 'duration',
    default: '1h',
    parse: parseDuration,
    description: 'interval between sweeps, which evict expired and excess content; 0s disables the schedule',
  })
  @IsDuration()
  sweepInterval = 3_600_000;

  @Setting({
    name: 'orphan-age',
    env: 'ORPHAN_AGE',
    value: 'duration',
    default: '1h',
    parse: parseDuration,
    description: 'how long unfinished writes of terminated processes are kept',
  })
  @IsDuration()
  orphanAge = 3_600_000;

  @Setting({
    name: 'scrub-interval',
    env: 'SCRUB_INTERVAL',
    value: 'duration',
    default: '0s',
    parse: parseDuration,
    description: 'interval between scrubs, which verify the digests of all stored content; 0s disables the schedule',
  })
  @IsDuration()
  scrubInterval = 0;

  @Setting({
    name: 'scrub-rate',
    env: 'SCRUB_RATE',
    value: 'size',
    default: '20MiB',
    parse: parseSize,
    description: 'bytes that a scrub reads per second',
  })
  @IsCount(1024, 2 ** 40)
  scrubRate = 20 * 1024 * 1024;

  @Setting({
    name: 'advertise-url',
    env: 'ADVERTISE_URL',
    value: 'url',
    description:
      'URL at which other replicas on the same storage reach this one, such as http://10.0.0.7:8080; enables shared downloads',
  })
  @IsOptional()
  @IsOrigin()
  advertiseUrl?: string;

  @Setting({
    name: 'cluster-key',
    env: 'CLUSTER_KEY',
    value: 'secret',
    secret: true,
    description: 'secret that all replicas share: they then follow only leases, and serve only replicas, that prove it',
  })
  @IsOptional()
  @IsSecret('a secret of 16 to 256 printable characters', 256, 16)
  get clusterKey(): Secret | undefined {
    return this.clusterSecret;
  }
  set clusterKey(value: Secret | string | undefined) {
    this.clusterSecret = toSecret(value);
  }

  private clusterSecret?: Secret | undefined;

  @Setting({
    name: 'peer-networks',
    env: 'PEER_NETWORKS',
    value: 'networks',
    parse: parseList,
    description:
      'networks in which other replicas are followed without --cluster-key; those of the private ranges 10.0.0.0/8, ' +
      '172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 and fc00::/7 in which this host has an address when not given',
  })
  @IsOptional()
  @AreNetworks()
  peerNetworks?: string[];

  @Setting({
    name: 'admin-listen',
    env: 'ADMIN_LISTEN',
    value: 'address',
    default: '127.0.0.1:8081',
    description: 'address that serves /_admin without a token, in the form of --listen; off disables it',
  })
  @IsListenAddress('off')
  adminListen = '127.0.0.1:8081';

  @Setting({
    name: 'admin-token',
    env: 'ADMIN_TOKEN',
    value: 'secret',
    secret: true,
    description: 'token that enables /_admin at the main address and is required there',
  })
  @IsOptional()
  @IsSecret('a token of 16 to 256 printable characters', 256, 16)
  get adminToken(): Secret | undefined {
    return this.token;
  }
  set adminToken(value: Secret | string | undefined) {
    this.token = toSecret(value);
  }

  private token?: Secret | undefined;

  @Setting({
    name: 'tls-cert',
    env: 'TLS_CERT',
    value: 'file',
    description: 'PEM file with the certificate chain for serving https',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tlsCert?: string;

  @Setting({
    name: 'tls-key',
    env: 'TLS_KEY',
    value: 'file',
    description: 'PEM file with the private key of the certificate',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tlsKey?: string;

  @Setting({
    name: 'status-page',
    env: 'STATUS_PAGE',
    default: 'true',
    parse: parseBoolean,
    description: 'serve pages for people to browsers, at / and below /_ui/',
  })
  @IsFlag()
  statusPage = true;

  @Setting({
    name: 'workers',
    env: 'WORKERS',
    value: 'count',
    default: '1',
    parse: parseWorkers,
    description: 'number of worker processes, 1 to 64; auto starts one per core, see scaling/workers.md',
  })
  @IsCount(1, maxWorkers, 'or auto')
  workers = 1;

  /** Number of this worker, from 1; undefined in a process without workers. Not a setting. */
  worker?: number;

  /** Whether this process runs the jobs that only one worker may run: sweeps, scrubs, the admin address. */
  get runsJobs(): boolean {
    return this.worker === undefined || this.worker === 1;
  }
}
