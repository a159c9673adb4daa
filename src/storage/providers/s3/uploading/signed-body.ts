import type { PutObjectCommand } from '@aws-sdk/client-s3';
import { parseContentKey } from '../../../keys.js';

/**
 * Signs the body of a streamed object, whose hash its key says, so that the server refuses any other: versitygw stores what
 * it has received when a client that is killed ends the connection in the middle.
 * @param key of the object; only content has a hash.
 */
export function signBody(command: PutObjectCommand, key: string): PutObjectCommand {
  const signed = bodyHeaders(key);
  const sign = { step: 'build', name: 'signBody' } as const;
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      Object.assign(headers, signed);
      return next(args);
    },
    sign,
  );
  return command;
}

/** Headers that have the body signed. */
export function bodyHeaders(key: string): Record<string, string> {
  const digest = parseContentKey(key);
  return digest?.algorithm === 'sha256' ? { 'x-amz-content-sha256': digest.hex } : {};
}
