import { availableParallelism } from 'node:os';
import { parseDuration } from './values/duration.js';
import { parseQuota, parseSize, type Quota } from './values/size.js';
import {
  AreNetworks,
  ArePatterns,
  AreRegistryHosts,
  IsCount,
  IsDuration,
  IsFlag,
  IsListenAddress,
  IsOneOf,
  IsOrigin,
  IsQuota,
  IsRegistryHost,
  IsSecret,
  IsSize,
  IsText,
} from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, parseInteger, parseList, Setting } from './validation/setting.decorator.js';
import { IsOptional } from 'class-validator';

/** Each worker has its own memory, so there is no point in more workers than the cores of a large machine. */
const maxWorkers = 64;

function parseWorkers(text: string): number | undefined {
  return text === 'auto' ? Math.min(availableParallelism(), maxWorkers) : parseInteger(text);
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Settings of the server, each a flag and an environment variable. Durations are in milliseconds. */
export class ServerSettings {
  @Setting({
    name: 'listen',
    env: 'LISTEN',
    value: 'address',
    default: '0.0.0.0:8080',
    description:
      'address to listen on: host:port, :port for all addresses of IPv4 and IPv6, or unix:/path for a Unix socket',
  })
  @IsListenAddress()
  listen = '0.0.0.0:8080';

  @Setting({
    name: 'default-namespace',
    env: 'DEFAULT_NAMESPACE',
    value: 'host',
    default: 'docker.io',
    description: 'registry for requests that name none, such as those of Docker Engine',
  })
  @IsRegistryHost()
  defaultNamespace = 'docker.io';

  @Setting({
    name: 'unknown-namespaces',
    env: 'UNKNOWN_NAMESPACES',
    value: 'policy',
    default: 'mirror',
    description: 'policy for unconfigured registries: mirror (over https, public addresses only) or deny',
  })
  @IsOneOf(['mirror', 'deny'])
  unknownNamespaces: 'mirror' | 'deny' = 'mirror';

  @Setting({
    name: 'hosted-namespace',
    env: 'HOSTED_NAMESPACES',
    value: 'host',
    parse: parseList,
    parseEach: (names) => names.flatMap(parseList),
    description:
      'namespace to push to, without an entry in the upstream file; repeatable, and comma-separated in the variable',
  })
  @AreRegistryHosts()
  hostedNamespaces: string[] = [];

  @Setting({
    name: 'allow-anonymous-push',
    env: 'ALLOW_ANONYMOUS_PUSH',
    default: 'false',
    parse: parseBoolean,
    description: 'let everybody who can reach this server push to hosted namespaces and delete from them',
  })
  @IsFlag()
  allowAnonymousPush = false;

  @Setting({
    name: 'catalog',
    env: 'CATALOG',
    value: 'which',
    default: 'hosted',
    description: 'repositories in /v2/_catalog: hosted, or all for the mirrored ones that something is stored of, too',
  })
  @IsOneOf(['hosted', 'all'])
  catalog: 'hosted' | 'all' = 'hosted';

  @Setting({
    name: 'access-file',
    env: 'ACCESS_FILE',
    value: 'file',
    description:
      'YAML file that says who clients are and what they may do; without it, everybody may pull and nobody may push',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  accessFile?: string;

  @Setting({
    name: 'webhooks-file',
    env: 'WEBHOOKS_FILE',
    value: 'file',
    description: 'YAML file with a list of webhooks that are told of pushes, deletions and other events',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  webhooksFile?: string;

  @Setting({
    name: 'webhooks-queue',
    env: 'WEBHOOKS_QUEUE',
    value: 'dir',
    description:
      'directory for events that wait for their delivery; by default below the root of filesystem storage, and else in the directory for temporary files',
  })
  @IsOptional()
  @IsText('the path of a directory', 4096)
  webhooksQueue?: string;

  @Setting({
    name: 'upstream-config-file',
    env: 'UPSTREAM_CONFIG_FILE',
    value: 'file',
    description: 'YAML file with a list of upstream registries, see example.yaml',
  })
  @IsOptional()
  @IsText('the path of a file')
  upstreamConfigFile?: string;

  @Setting({
    name: 'upstream-credentials',
    env: 'UPSTREAM_CREDENTIALS',
    value: 'json',
    secret: true,
    description: 'JSON map of credentials to merge into the upstreams: {"docker.io":{"username":"u","password":"p"}}',
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
    description: 'file that contains that map, such as a mounted secret',
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
    description: 'unconfigured registries to mirror regardless of --unknown-namespaces: ghcr.io,*.example.com',
  })
  @ArePatterns()
  allowNamespaces: string[] = [];

  @Setting({
    name: 'deny-namespaces',
    env: 'DENY_NAMESPACES',
    value: 'patterns',
    parse: parseList,
    description: 'unconfigured registries that are never mirrored',
  })
  @ArePatterns()
  denyNamespaces: string[] = [];

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
    description: 'serve a status page to browsers at /',
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

  @Setting({
    name: 'max-downloads',
    env: 'MAX_DOWNLOADS',
    value: 'count',
    default: '64',
    parse: parseInteger,
    description: 'maximum concurrent blob downloads from upstreams; further ones wait in a queue',
  })
  @IsCount(1, 10_000)
  maxDownloads = 64;

  @Setting({
    name: 'distant-ranges',
    env: 'DISTANT_RANGES',
    value: 'policy',
    default: 'fetch',
    description:
      'ranges that begin more than 8 MiB beyond what has been downloaded: fetch (from the upstream at once, unverified, beside the download of the whole), fetch-only (the same, without beginning a download) or wait (for the download)',
  })
  @IsOneOf(['fetch', 'fetch-only', 'wait'])
  distantRanges: 'fetch' | 'fetch-only' | 'wait' = 'fetch';

  @Setting({
    name: 'min-download-rate',
    env: 'MIN_DOWNLOAD_RATE',
    value: 'size',
    default: '1KiB',
    parse: parseSize,
    description:
      'bytes per second below which a download gives way to waiting ones: at once without clients, else after a minute',
  })
  @IsSize()
  minDownloadRate = 1024;

  @Setting({
    name: 'max-uploads',
    env: 'MAX_UPLOADS',
    value: 'count',
    default: '256',
    parse: parseInteger,
    description:
      'maximum concurrent request bodies of uploads, half of them from one client address; further ones wait up to 10 s',
  })
  @IsCount(2, 10_000)
  maxUploads = 256;

  @Setting({
    name: 'memory-cache',
    env: 'MEMORY_CACHE',
    value: 'size',
    default: '32MiB',
    parse: parseSize,
    description: 'memory for recently served records, manifests and blobs of up to 64 KiB; 0B disables it',
  })
  @IsSize()
  memoryCache = 32 * 1024 * 1024;

  @Setting({
    name: 'body-memory',
    env: 'BODY_MEMORY',
    value: 'size',
    default: '64MiB',
    parse: parseSize,
    description:
      'memory for manifests, lists and tokens while they are received, read and sent; further ones wait up to 10 s',
  })
  @IsCount(16 * 1024 * 1024, 2 ** 40)
  bodyMemory = 64 * 1024 * 1024;

  @Setting({
    name: 'max-connections',
    env: 'MAX_CONNECTIONS',
    value: 'count',
    default: '10000',
    parse: parseInteger,
    description:
      'maximum concurrent client connections; near it, those idle longest are closed, and beyond it further ones',
  })
  @IsCount(1, 1_000_000)
  maxConnections = 10_000;

  @Setting({
    name: 'max-connections-per-address',
    env: 'MAX_CONNECTIONS_PER_ADDRESS',
    value: 'count',
    parse: parseInteger,
    description:
      'maximum concurrent connections of one client address, half of --max-connections by default; raise it behind a proxy',
  })
  @IsOptional()
  @IsCount(1, 1_000_000)
  maxConnectionsPerAddress?: number;

  @Setting({
    name: 'max-header-size',
    env: 'MAX_HEADER_SIZE',
    value: 'size',
    default: '16KiB',
    parse: parseSize,
    description: 'maximum size of request headers',
  })
  @IsCount(1024, 1_048_576)
  maxHeaderSize = 16 * 1024;

  @Setting({
    name: 'client-timeout',
    env: 'CLIENT_TIMEOUT',
    value: 'duration',
    default: '60s',
    parse: parseDuration,
    description:
      'idle timeout while sending a response or receiving an upload; other bodies have to arrive within it. Responses and uploads are checked every 5 s, so that up to 5 s more may pass',
  })
  @IsDuration()
  clientTimeout = 60_000;

  @Setting({
    name: 'drain-delay',
    env: 'DRAIN_DELAY',
    value: 'duration',
    default: '0s',
    parse: parseDuration,
    description: 'how long new requests are accepted after SIGTERM, while /readyz already responds 503',
  })
  @IsDuration()
  drainDelay = 0;

  @Setting({
    name: 'drain-timeout',
    env: 'DRAIN_TIMEOUT',
    value: 'duration',
    default: '30s',
    parse: parseDuration,
    description: 'how long running transfers may continue after SIGTERM',
  })
  @IsDuration()
  drainTimeout = 30_000;

  @Setting({
    name: 'log-level',
    env: 'LOG_LEVEL',
    value: 'level',
    default: 'info',
    description: `minimum severity of log lines: ${logLevels.join(', ')}`,
  })
  @IsOneOf(logLevels)
  logLevel: (typeof logLevels)[number] = 'info';

  @Setting({
    name: 'log-format',
    env: 'LOG_FORMAT',
    value: 'format',
    description: 'json or pretty; by default pretty on a terminal and json otherwise',
  })
  @IsOptional()
  @IsOneOf(['json', 'pretty'])
  logFormat?: 'json' | 'pretty';
}
