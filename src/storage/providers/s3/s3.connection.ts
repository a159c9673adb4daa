import { Logger } from '@nestjs/common';
import http from 'node:http';
import https from 'node:https';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { receiveIntoOneBuffer } from '../../../config/receiving.js';
import type { S3Settings } from '../../../config/storage.settings.js';
import { keys } from '../../keys.js';
import { BucketCircuit, guard } from './bucket.circuit.js';
import { KeySpace } from './key-space.js';
import type { S3Tuning } from './s3.tuning.js';

/** Milliseconds in which a connection has to stand. */
const connectTimeout = 5_000;
/** Milliseconds without a byte that the answer to a small request may take; then it is asked again. */
const quiet = 10_000;
/** Times that a small request is sent. */
const maxAttempts = 4;
/** Milliseconds for the request that tells whether a bucket answers again. */
const probeDeadline = 5_000;
/** Small requests at one time; more wait. */
const maxCalls = 128;
/**
 * Objects that are read and parts that are sent at one time. A bound would let readers who read nothing keep everybody
 * else waiting; each has a client's connection as well, or is one of the few parts that are sent at a time.
 */
const maxTransfers = Infinity;

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
  private readonly logger = new Logger('S3');
  private readonly circuit: BucketCircuit;

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
    this.circuit = new BucketCircuit(tuning, () => this.probe(new KeySpace(settings.prefix)), {
      onOpen: (reason) =>
        this.logger.warn(`the bucket does not answer (${reason}): until it does, what needs it fails at once`),
      onClose: (after) => this.logger.log(`the bucket answers again after ${Math.round(after / 1000)} s`),
    });
    guard(this.calls, this.circuit, () => true);
    // What goes up has the patience that its repetitions give it: nobody waits for it.
    guard(this.transfers, this.circuit, (command) => command === 'GetObjectCommand');
  }

  /** Cuts what is under way. */
  close(): void {
    this.circuit.close();
    this.calls.destroy();
    this.transfers.destroy();
  }

  /** HEAD on the client that repeats nothing, and past the circuit. */
  private probe(space: KeySpace): Promise<unknown> {
    const command = new HeadObjectCommand({ Bucket: this.bucket, Key: space.pathOf(keys.probe) });
    return this.transfers.send(command, { abortSignal: AbortSignal.timeout(probeDeadline) });
  }
}

function handlerOf(maxSockets: number, socketTimeout: number): NodeHttpHandler {
  const options = { keepAlive: true, maxSockets, maxFreeSockets: 32 };
  return new NodeHttpHandler({
    connectionTimeout: connectTimeout,
    socketTimeout,
    requestTimeout: 0,
    logger: silent,
    httpAgent: receiveIntoOneBuffer(new http.Agent(options)),
    httpsAgent: receiveIntoOneBuffer(new https.Agent(options)),
  });
}
