import { parseDuration } from './duration.js';
import { parseSize } from './size.js';
import { IsCount, IsDuration, IsFlag, IsListenAddress, IsOneOf, IsRegistryHost, IsSize, IsText } from './rules.js';
import { parseBoolean, parseInteger, Setting } from './setting.decorator.js';
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
  @IsText('a JSON map', 1_000_000)
  upstreamCredentials?: string;

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
