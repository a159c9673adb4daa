import { parseDuration } from './duration.js';
import { parseSize } from './size.js';
import {
  ArePatterns,
  IsCount,
  IsDuration,
  IsFlag,
  IsListenAddress,
  IsOneOf,
  IsRegistryHost,
  IsSecret,
  IsSize,
  IsText,
} from './rules.js';
import { toSecret, type Secret } from './secret.js';
import { parseBoolean, parseInteger, parseList, Setting } from './setting.decorator.js';
import { IsOptional } from 'class-validator';

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
}
