import { PutObjectCommand } from '@aws-sdk/client-s3';
import { withRetries } from '../retry.js';
import type { S3Connection } from '../s3.connection.js';
import { nonceName, putHeaders } from '../s3.requests.js';
import { bodyHeaders, signBody } from './signed-body.js';
import type { TempFile } from './temp-file.js';
import type { Uploads } from './uploads.js';

export interface PutContext {
  readonly connection: S3Connection;
  readonly uploads: Uploads;
}

/**
 * Writes a whole file as one object.
 * @param nonce marks the object as written by this call.
 * @param key of content.
 * @throws the last error of S3 or the network
 */
export async function putFile(
  { connection, uploads }: PutContext,
  path: string,
  file: TempFile | undefined,
  nonce: string,
  key = '',
): Promise<void> {
  const { transfers, transfersHandler, direct, bucket, tuning } = connection;
  const size = file?.size ?? 0;
  const headers = { ...putHeaders(size, nonce), ...bodyHeaders(key) };
  await uploads.slots.run(() =>
    withRetries(tuning, tuning.idleTimeout, undefined, async ({ signal, refresh, end }) => {
      const sending = async <T>(send: (body: Buffer | ReturnType<TempFile['body']>) => Promise<T>): Promise<T> => {
        if (!file || size === 0) return send(Buffer.alloc(0));
        const body = file.body({ offset: 0, length: size }, refresh).once('error', end);
        try {
          return await send(body);
        } finally {
          body.destroy();
        }
      };
      const isSent = await sending((body) =>
        direct.send(transfersHandler, { method: 'PUT', path, headers, body }, signal, [200], false),
      );
      if (isSent) return;
      refresh();
      await sending((Body) => {
        const target = { Bucket: bucket, Key: path, Metadata: { [nonceName]: nonce } };
        const command = new PutObjectCommand({ ...target, Body, ContentLength: size });
        return transfers.send(signBody(command, key), { abortSignal: signal });
      });
    }),
  );
}
