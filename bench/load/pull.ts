import { createHash } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';

/** How long a connection may be silent before the pull counts as failed. */
const silence = 60_000;

export interface PullJob {
  readonly url: string;
  readonly accept?: string;
  readonly authorization?: string;
  /** Checked besides the digest when it is known. */
  readonly size?: number | undefined;
  readonly digest: string;
}

export interface Pulled {
  /** Why the body is not the right one. */
  readonly complaint?: string;
  /** On the clock of `performance.now()`; absent when no byte came. */
  readonly firstByteAt?: number;
}

/** Pulls one body over a connection of its own and checks it; never rejects. */
export async function pull(job: PullJob): Promise<Pulled> {
  let firstByteAt: number | undefined;
  try {
    const response = await open(job);
    if (response.statusCode !== 200) {
      response.destroy();
      return { complaint: `status ${response.statusCode ?? 0}` };
    }
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      firstByteAt ??= performance.now();
      size += chunk.length;
      hash.update(chunk);
    }
    return { ...judge(job, size, `sha256:${hash.digest('hex')}`), ...(firstByteAt !== undefined && { firstByteAt }) };
  } catch (error) {
    return { complaint: error instanceof Error ? error.message : String(error) };
  }
}

function judge(job: PullJob, size: number, digest: string): Pulled {
  if (job.size !== undefined && size !== job.size) return { complaint: `${size} bytes instead of ${job.size}` };
  if (digest !== job.digest) return { complaint: 'wrong bytes' };
  return {};
}

function open({ url, accept, authorization }: PullJob): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { ...(accept !== undefined && { accept }), ...(authorization !== undefined && { authorization }) };
    const request = get(url, { agent: false, timeout: silence, headers }, resolve);
    let response: IncomingMessage | undefined;
    request.once('response', (received) => (response = received));
    // Destroying the request would make the body end as "aborted", which is what a cut by the server is called.
    request.on('timeout', () => (response ?? request).destroy(new Error(`silent for ${silence / 1000} s`)));
    request.on('error', reject);
  });
}
