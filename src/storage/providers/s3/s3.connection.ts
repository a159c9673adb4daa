import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { S3Settings } from '../../../config/storage.settings.js';
import type { S3Tuning } from './s3.tuning.js';

/** Milliseconds in which a connection has to stand. */
const connectTimeout = 5_000;
/** Milliseconds without a byte that the answer to a small request may take; then it is asked again. */
const quiet = 10_000;
/** Times that a small request is sent. */
const maxAttempts = 4;
/** Small requests at one time; more wait. */
const maxCalls = 128;
/** Objects that are read and parts that are sent at one time; slow readers hold theirs for long. */
const maxTransfers = 1024;

/** Bodies that cannot be sent again are ours to repeat; the client has nothing to say that no error says. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * The bucket as two clients, which share credentials and nothing else: whoever reads slowly, however many there are,
 * takes no connection from small requests.
 */
export class S3Connection {
  readonly bucket: string;
  /** For small requests, which the client repeats itself. */
  readonly calls: S3Client;
  /** For bodies and for requests whose answer takes long; deadlines are the caller's. */
  readonly transfers: S3Client;

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
      // Other servers than Amazon's refuse the trailers that come with the client's own checksums, or store them.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // It costs every part a connection of its own.
      expectContinueHeader: false,
      logger: silent,
    } as const;
    this.calls = new S3Client({
      ...common,
      ...(accessKey !== undefined && {
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey?.reveal() ?? '' },
      }),
      maxAttempts,
      requestHandler: handlerOf(maxCalls, quiet),
    });
    this.transfers = new S3Client({
      ...common,
      credentials: () => this.calls.config.credentials(),
      maxAttempts: 1,
      requestHandler: handlerOf(maxTransfers, 0),
    });
  }

  /** Cuts what is under way. */
  close(): void {
    this.calls.destroy();
    this.transfers.destroy();
  }
}

function handlerOf(maxSockets: number, socketTimeout: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets, maxFreeSockets: 32 };
  return new NodeHttpHandler({
    connectionTimeout: connectTimeout,
    socketTimeout,
    requestTimeout: 0,
    logger: silent,
    httpAgent: agent,
    httpsAgent: agent,
  });
}
