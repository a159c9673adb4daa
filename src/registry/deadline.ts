import { OciError } from '../oci/error.js';

/** Milliseconds within which every request has its answer's head (P4): clients give up at 30 s. */
export const responseDeadline = 25_000;

/**
 * The value, if it comes in time. What was asked for goes on without this caller.
 * @throws OciError TIMEOUT
 */
export async function within<T>(value: Promise<T>, deadline = responseDeadline): Promise<T> {
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

/** Milliseconds that somebody with something older to answer with waits for the upstream (P6: 2 s). */
const patience = 1_800;

/** The value, or undefined when it takes longer than somebody with something older should wait. */
export async function inTime<T>(value: Promise<T>): Promise<T | undefined> {
  try {
    return await within(value, patience);
  } catch (error) {
    if (error instanceof OciError && error.code === 'TIMEOUT') return undefined;
    throw error;
  }
}
