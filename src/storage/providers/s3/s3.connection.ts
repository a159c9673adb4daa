import { Logger } from '@nestjs/common';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ProxyingHttpAgent, proxyingHttpsAgent } from '../../../config/proxy/proxying.agents.js';
import { receiveIntoOneBuffer } from '../../../config/receiving/one-buffer.js';
import type { S3Settings } from '../../../config/storage.settings.js';
import { keys } from '../../keys.js';
import { BucketCircuit, guard } from './bucket.circuit.js';
import { DirectRequests } from './direct/direct.requests.js';
import { KeySpace } from './key-space.js';
import type { S3Tuning } from './s3.tuning.js';
import { StoppableHandler } from './stoppable.handler.js';

/** Milliseconds for establishing a connection. */
const connectTimeout = 5_000;
/** Milliseconds without a byte after which a small request is retried. */
const callIdleTimeout = 10_000;
/** Attempts for a small request. */
const maxAttempts = 4;
/** Milliseconds for a probe of a failed bucket. */
const probeDeadline = 5_000;
/** Concurrent small requests; more of them queue. */
const maxCalls = 128;
/**
 * Concurrent transfers. With a limit, stalled readers could block all others; every transfer belongs to a client
 * connection or is one of a few parts being uploaded.
 */
const maxTransfers = Infinity;

/** Idle connections that each client keeps. With fewer, a burst closes most of its connections and opens them again. */
const maxIdle = 128;

/** The client's log would only repeat the errors that it throws. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * Two clients of one bucket that share only credentials, so that slow transfers never take connections from small
 * requests.
 */
export class S3Connection {
  readonly bucket: string;
  /** For small requests, which the client retries itself. */
  readonly calls: S3Client;
  /** For bodies and slow requests; the caller sets deadlines. */
  readonly transfers: S3Client;
  private readonly logger = new Logger('S3');
  readonly circuit: BucketCircuit;
  /** For requests that need nothing else of `calls` or `transfers` than the handler here. */
  readonly direct: DirectRequests;
  readonly callsHandler: StoppableHandler;
  readonly transfersHandler: StoppableHandler;

  constructor(
    settings: S3Settings,
    readonly tuning: S3Tuning,
  ) {
    const { accessKey, secretKey, host, region, pathStyle } = settings;
    this.bucket = settings.bucket;
    const common = {
      region,
      ...(host !== undefined && { endpoint: host }),
      forcePathStyle: pathStyle ?? host !== undefined,
      // Some servers reject the trailers of the client's checksums, or store them as content.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // With it every part needs a new connection.
      expectContinueHeader: false,
      logger: silent,
    } as const;
    const hear = () => this.circuit.hear();
    this.callsHandler = handlerOf(maxCalls, callIdleTimeout, hear);
    this.transfersHandler = handlerOf(maxTransfers, 0, hear);
    this.calls = new S3Client({
      ...common,
      ...(accessKey !== undefined && {
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey?.reveal() ?? '' },
      }),
      maxAttempts,
      requestHandler: this.callsHandler,
    });
    this.transfers = new S3Client({
      ...common,
      credentials: () => this.calls.config.credentials(),
      maxAttempts: 1,
      requestHandler: this.transfersHandler,
    });
    this.circuit = new BucketCircuit(tuning, () => this.probe(new KeySpace(settings.prefix)), {
      onOpen: (reason) =>
        this.logger.warn(`the bucket is unavailable (${reason}): storage requests fail immediately until it responds`),
      onClose: (after) => this.logger.log(`the bucket is available again after ${Math.round(after / 1000)} s`),
    });
    guard(this.calls, this.circuit, () => true);
    this.direct = new DirectRequests(this.calls, this.circuit);
    // Uploads are not guarded: no client waits for them, and their retries may outlast the outage.
    guard(this.transfers, this.circuit, (command) => command === 'GetObjectCommand');
  }

  /** Aborts running requests. */
  close(): void {
    this.circuit.close();
    this.calls.destroy();
    this.transfers.destroy();
  }

  /** HEAD without retries, bypassing the circuit. */
  private probe(space: KeySpace): Promise<unknown> {
    const command = new HeadObjectCommand({ Bucket: this.bucket, Key: space.pathOf(keys.probe) });
    return this.transfers.send(command, { abortSignal: AbortSignal.timeout(probeDeadline) });
  }
}

function handlerOf(maxSockets: number, socketTimeout: number, onResponse: () => void): StoppableHandler {
  const options = { keepAlive: true, maxSockets, maxFreeSockets: maxIdle };
  const handling = {
    connectionTimeout: connectTimeout,
    socketTimeout,
    requestTimeout: 0,
    logger: silent,
    httpAgent: receiveIntoOneBuffer(new ProxyingHttpAgent(options)),
    httpsAgent: receiveIntoOneBuffer(proxyingHttpsAgent(options)),
  };
  return new StoppableHandler(handling, onResponse);
}
