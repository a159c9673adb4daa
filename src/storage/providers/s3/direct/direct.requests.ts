import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { BucketCircuit } from '../bucket.circuit.js';
import { makeStoppable, type StoppableHandler } from '../stoppable.handler.js';
import { placeOf, type RequestPlace, type SignedRequest } from './request-place.js';

type HandledRequest = Parameters<StoppableHandler['handle']>[0];

/** Most bytes of a response that is not the content of an object. */
const maxMessage = 16 * 1024;

export interface DirectRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable;
  /** Most bytes of content to receive. */
  readonly limit?: number;
}

export interface DirectResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined when it is larger than it may be. */
  readonly content: Buffer | undefined;
}

/**
 * Sends simple requests for one object without the client's 25 layers of middleware, which take six times the CPU time of
 * the request itself. Credentials, signatures and connections are the client's, and what they are sent to is learnt from
 * requests of the client that have succeeded. Whatever is unusual is left to the client, which explains it and retries.
 */
export class DirectRequests {
  private place: RequestPlace | undefined;
  private signer: ReturnType<S3Client['config']['signer']> | undefined;

  constructor(
    private readonly client: S3Client,
    private readonly circuit: BucketCircuit,
  ) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const response = await next(args);
        const { Key: key } = args.input as { Key?: string };
        if (key !== undefined) this.place ??= placeOf(args.request as SignedRequest, key);
        return response;
      },
      // Inside the middleware that signs.
      { step: 'deserialize', priority: 'high', name: 'learnPlace' },
    );
  }

  /**
   * Makes one attempt.
   * @param isGuarded whether it fails at once while the bucket is unavailable.
   * @returns undefined when the client is to send the request: for a path that has to be escaped, without a response, and
   * with one whose status is none of `statuses`.
   */
  async send(
    handler: StoppableHandler,
    request: DirectRequest,
    abortSignal: AbortSignal,
    statuses: readonly number[],
    isGuarded = true,
  ): Promise<DirectResponse | undefined> {
    const { place, circuit } = this;
    if (!place || !/^[\w./-]+$/.test(request.path) || abortSignal.aborted) return undefined;
    if (isGuarded) circuit.check();
    try {
      const signed = await this.sign(place, request);
      const stop = isGuarded ? makeStoppable(signed) : undefined;
      const receiving = this.receive(handler, signed, request.limit ?? maxMessage, abortSignal, statuses);
      return await (stop ? circuit.wait(receiving, (error) => stop.abort(error)) : receiving);
    } catch {
      // The client meets the same failure, or succeeds.
      this.signer = undefined;
      return undefined;
    }
  }

  private async sign(place: RequestPlace, { method, path, headers, body }: DirectRequest) {
    const { config } = this.client;
    const { protocol, hostname, port, base, host, agent, region: signingRegion } = place;
    const scheme = { name: 'sigv4', signingName: 's3', signingRegion, properties: {} };
    const signer = await (this.signer ??= config.signer(scheme));
    const origin = { protocol, hostname, ...(port !== undefined && { port }) };
    const all = { host, 'user-agent': agent, ...headers };
    const request = { ...origin, method, path: `${base}/${path}`, query: {}, headers: all, body };
    const signingDate = new Date(Date.now() + config.systemClockOffset);
    const signing = { signingDate, signingRegion, signingService: 's3' };
    return signer.sign(request, signing);
  }

  private async receive(
    handler: StoppableHandler,
    signed: Awaited<ReturnType<DirectRequests['sign']>>,
    limit: number,
    abortSignal: AbortSignal,
    statuses: readonly number[],
  ): Promise<DirectResponse | undefined> {
    const sent = await handler.handle(signed as unknown as HandledRequest, { abortSignal });
    const { statusCode: status, headers } = sent.response;
    const body = sent.response.body as Readable;
    const isContent = signed.method === 'GET' && status === 200;
    const length = isContent ? Number(headers['content-length']) : 0;
    // A body without a length may end early without an error.
    if (!statuses.includes(status) || Number.isNaN(length)) {
      body.destroy();
      return undefined;
    }
    if (length > limit) {
      body.destroy();
      return { status, headers, content: undefined };
    }
    const content = await contentOf(body, isContent ? length : maxMessage);
    return isContent && content?.length !== length ? undefined : { status, headers, content };
  }
}

/** @returns undefined when there is more than `most` bytes */
async function contentOf(body: Readable, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}
