import { IsOptional } from 'class-validator';
import { IsCount, IsDuration, IsOneOf, IsSize } from './validation/rules.js';
import { parseInteger, Setting } from './validation/setting.decorator.js';
import { parseDuration } from './values/duration.js';
import { parseSize } from './values/size.js';
import { OperationSettings } from './server/operation.settings.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Settings of the server, each a flag and an environment variable: its limits, and all others. Durations are in milliseconds. */
export class ServerSettings extends OperationSettings {
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
