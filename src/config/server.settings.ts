import { availableParallelism } from 'node:os';
import { parseDuration } from './values/duration.js';
import { parseQuota, parseSize, type Quota } from './values/size.js';
import {
  ArePatterns,
  IsCount,
  IsDuration,
  IsFlag,
  IsHttpUrl,
  IsListenAddress,
  IsOneOf,
  IsQuota,
  IsRegistryHost,
  IsSecret,
  IsSize,
  IsText,
} from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, parseInteger, parseList, Setting } from './validation/setting.decorator.js';
import { IsOptional } from 'class-validator';

/** More than the cores of a large machine: each costs memory of its own. */
const maxWorkers = 64;

function parseWorkers(text: string): number | undefined {
  return text === 'auto' ? Math.min(availableParallelism(), maxWorkers) : parseInteger(text);
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** The settings of the process, each a flag and an environment variable. Durations are in milliseconds. */
export class ServerSettings {
  @Setting({
    name: 'listen',
    env: 'LISTEN',
    value: 'address',
    default: '0.0.0.0:8080',
    description: 'address to listen on: host:port, or unix:/path for a socket file',
  })
  @IsListenAddress()
  listen = '0.0.0.0:8080';

  @Setting({
    name: 'default-namespace',
    env: 'DEFAULT_NAMESPACE',
    value: 'host',
    default: 'docker.io',
    description: 'registry that requests are for when they name none, as those of Docker Engine',
  })
  @IsRegistryHost()
  defaultNamespace = 'docker.io';

  @Setting({
    name: 'unknown-namespaces',
    env: 'UNKNOWN_NAMESPACES',
    value: 'policy',
    default: 'mirror',
    description:
      'what to do with registries that are not configured: mirror (over https, public addresses only) or deny',
  })
  @IsOneOf(['mirror', 'deny'])
  unknownNamespaces: 'mirror' | 'deny' = 'mirror';

  @Setting({
    name: 'upstream-config-file',
    env: 'UPSTREAM_CONFIG_FILE',
    value: 'file',
    description: 'YAML list of upstream registries, see example.yaml',
  })
  @IsOptional()
  @IsText('the path of a file')
  upstreamConfigFile?: string;

  @Setting({
    name: 'upstream-credentials',
    env: 'UPSTREAM_CREDENTIALS',
    value: 'json',
    secret: true,
    description: 'JSON map of credentials merged over the file: {"docker.io":{"username":"u","password":"p"}}',
  })
  @IsOptional()
  @IsSecret('a JSON map', 1_000_000)
  get upstreamCredentials(): Secret | undefined {
    return this.credentials;
  }
  set upstreamCredentials(value: Secret | string | undefined) {
    this.credentials = toSecret(value);
  }

  @Setting({
    name: 'upstream-credentials-file',
    env: 'UPSTREAM_CREDENTIALS_FILE',
    value: 'file',
    description: 'file to read that map from, as secrets are mounted',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  upstreamCredentialsFile?: string;

  private credentials?: Secret | undefined;

  @Setting({
    name: 'allow-namespaces',
    env: 'ALLOW_NAMESPACES',
    value: 'patterns',
    parse: parseList,
    description:
      'registries that are mirrored without being configured whatever the policy says: ghcr.io,*.example.com',
  })
  @ArePatterns()
  allowNamespaces: string[] = [];

  @Setting({
    name: 'deny-namespaces',
    env: 'DENY_NAMESPACES',
    value: 'patterns',
    parse: parseList,
    description: 'registries that are never mirrored unless they are configured',
  })
  @ArePatterns()
  denyNamespaces: string[] = [];

  @Setting({
    name: 'check-cache-digest',
    env: 'CHECK_CACHE_DIGEST',
    default: 'false',
    parse: parseBoolean,
    description: 'hash stored content before it is served for the first time after a start',
  })
  @IsFlag()
  checkCacheDigest = false;

  @Setting({
    name: 'max-size',
    env: 'MAX_SIZE',
    value: 'size',
    parse: parseQuota,
    description: 'space that content may take, as 50GiB or 80% of the disk; least recently used content makes way',
  })
  @IsOptional()
  @IsQuota()
  maxSize?: Quota;

  @Setting({
    name: 'sweep-interval',
    env: 'SWEEP_INTERVAL',
    value: 'duration',
    default: '1h',
    parse: parseDuration,
    description: 'how often content that is unused for too long, or too much, is removed; 0s only does it when asked',
  })
  @IsDuration()
  sweepInterval = 3_600_000;

  @Setting({
    name: 'orphan-age',
    env: 'ORPHAN_AGE',
    value: 'duration',
    default: '1h',
    parse: parseDuration,
    description: 'how long unfinished writes of processes that have gone are kept',
  })
  @IsDuration()
  orphanAge = 3_600_000;

  @Setting({
    name: 'scrub-interval',
    env: 'SCRUB_INTERVAL',
    value: 'duration',
    default: '0s',
    parse: parseDuration,
    description: 'how often all stored content is compared with its digests in the background; 0s never does it',
  })
  @IsDuration()
  scrubInterval = 0;

  @Setting({
    name: 'scrub-rate',
    env: 'SCRUB_RATE',
    value: 'size',
    default: '20MiB',
    parse: parseSize,
    description: 'bytes that this reads in a second',
  })
  @IsCount(1024, 2 ** 40)
  scrubRate = 20 * 1024 * 1024;

  @Setting({
    name: 'advertise-url',
    env: 'ADVERTISE_URL',
    value: 'url',
    description:
      'where other replicas on the same storage reach this one, as http://10.0.0.7:8080; they then share downloads',
  })
  @IsOptional()
  @IsHttpUrl()
  advertiseUrl?: string;

  @Setting({
    name: 'admin-listen',
    env: 'ADMIN_LISTEN',
    value: 'address',
    default: '127.0.0.1:8081',
    description: 'address on which /_admin answers without a token, as --listen; off for none',
  })
  @IsListenAddress('off')
  adminListen = '127.0.0.1:8081';

  @Setting({
    name: 'admin-token',
    env: 'ADMIN_TOKEN',
    value: 'secret',
    secret: true,
    description: 'token with which /_admin answers at the main address too; without one it is not there',
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
    description: 'PEM file with the certificate, and those that it was issued by, to serve https with',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tlsCert?: string;

  @Setting({ name: 'tls-key', env: 'TLS_KEY', value: 'file', description: 'PEM file with its key' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tlsKey?: string;

  @Setting({
    name: 'status-page',
    env: 'STATUS_PAGE',
    default: 'true',
    parse: parseBoolean,
    description: 'show browsers a page about the mirror at /',
  })
  @IsFlag()
  statusPage = true;

  @Setting({
    name: 'workers',
    env: 'WORKERS',
    value: 'count',
    default: '1',
    parse: parseWorkers,
    description: 'processes that serve together, 1 to 64; auto for one on each core, see workers.md',
  })
  @IsCount(1, maxWorkers, 'or auto')
  workers = 1;

  /** Which of several workers this process is, from 1; undefined in one that serves alone. Not a setting. */
  worker?: number;

  /** Whether this process does what one of several is enough for: sweeping, scrubbing, the admin address. */
  get runsJobs(): boolean {
    return this.worker === undefined || this.worker === 1;
  }

  @Setting({
    name: 'max-downloads',
    env: 'MAX_DOWNLOADS',
    value: 'count',
    default: '64',
    parse: parseInteger,
    description: 'blobs downloaded from upstreams at one time; more wait their turn',
  })
  @IsCount(1, 10_000)
  maxDownloads = 64;

  @Setting({
    name: 'memory-cache',
    env: 'MEMORY_CACHE',
    value: 'size',
    default: '32MiB',
    parse: parseSize,
    description: 'memory for records, manifests and blobs up to 64 KiB that were served lately; 0B turns it off',
  })
  @IsSize()
  memoryCache = 32 * 1024 * 1024;

  @Setting({
    name: 'max-connections',
    env: 'MAX_CONNECTIONS',
    value: 'count',
    default: '10000',
    parse: parseInteger,
    description: 'connections of clients at one time; more are closed at once',
  })
  @IsCount(1, 1_000_000)
  maxConnections = 10_000;

  @Setting({
    name: 'max-header-size',
    env: 'MAX_HEADER_SIZE',
    value: 'size',
    default: '16KiB',
    parse: parseSize,
    description: 'largest header of a request',
  })
  @IsCount(1024, 1_048_576)
  maxHeaderSize = 16 * 1024;

  @Setting({
    name: 'client-timeout',
    env: 'CLIENT_TIMEOUT',
    value: 'duration',
    default: '60s',
    parse: parseDuration,
    description: 'how long a client may take nothing of what it is sent before it is cut off',
  })
  @IsDuration()
  clientTimeout = 60_000;

  @Setting({
    name: 'drain-delay',
    env: 'DRAIN_DELAY',
    value: 'duration',
    default: '0s',
    parse: parseDuration,
    description: 'how long new requests are still taken after SIGTERM, while /readyz already says 503',
  })
  @IsDuration()
  drainDelay = 0;

  @Setting({
    name: 'drain-timeout',
    env: 'DRAIN_TIMEOUT',
    value: 'duration',
    default: '30s',
    parse: parseDuration,
    description: 'how long running transfers may go on after SIGTERM',
  })
  @IsDuration()
  drainTimeout = 30_000;

  @Setting({
    name: 'log-level',
    env: 'LOG_LEVEL',
    value: 'level',
    default: 'info',
    description: `least severe log lines to write: ${logLevels.join(', ')}`,
  })
  @IsOneOf(logLevels)
  logLevel: (typeof logLevels)[number] = 'info';

  @Setting({
    name: 'log-format',
    env: 'LOG_FORMAT',
    value: 'format',
    description: 'json or pretty; pretty on a terminal and json elsewhere when not given',
  })
  @IsOptional()
  @IsOneOf(['json', 'pretty'])
  logFormat?: 'json' | 'pretty';
}
