import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';

/** Milliseconds without a byte after which the client tries elsewhere, unless it is told otherwise. */
const usualPatience = 40_000;
const maxTries = 8;

/** What came of a pull by a client that resumes. */
export interface Resumed {
  readonly isRight: boolean;
  readonly tries: number;
  /** The last status. */
  readonly status: number;
  /** Milliseconds until the first byte. */
  readonly firstByte: number;
}

/**
 * Pulls a blob as Docker does: when the answer breaks off or stops, it asks another of the URLs for the rest.
 * @param first the index of the URL to begin with.
 */
export async function pullResuming(
  urls: readonly string[],
  truth: Buffer,
  first: number,
  patience = usualPatience,
): Promise<Resumed> {
  const start = performance.now();
  let received = 0;
  let isRight = true;
  let firstByte = Infinity;
  let status = 0;
  let tries = 0;
  while (tries < maxTries && received < truth.length && isRight) {
    const url = urls[(first + tries) % urls.length]!;
    tries += 1;
    const headers: Record<string, string> = received > 0 ? { range: `bytes=${received}-` } : {};
    const sent = http.get(url, { agent: false, headers });
    sent.setTimeout(patience, () => sent.destroy());
    sent.on('error', () => undefined);
    try {
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      status = response.statusCode ?? 0;
      if (status >= 400) break;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        firstByte = Math.min(firstByte, performance.now() - start);
        isRight &&= chunk.equals(truth.subarray(received, received + chunk.length));
        received += chunk.length;
      }
    } catch {
      // It broke off; the next try goes on from there.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    sent.destroy();
  }
  return { isRight: isRight && received === truth.length, tries, status, firstByte };
}
