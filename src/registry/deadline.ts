import { OciError } from '../oci/error.js';

/** Milliseconds within which every request has its answer's head (P4): clients give up at 30 s. */
export const answerDeadline = 25_000;

/**
 * The value, if it comes in time. What was asked for goes on without this caller.
 * @throws OciError TIMEOUT
 */
export async function within<T>(value: Promise<T>, deadline = answerDeadline): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OciError('TIMEOUT')), deadline);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
