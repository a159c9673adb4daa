import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Blob } from './bytes.js';

/** Pushes in two requests, end-4a and end-6 of the distribution specification. */
export async function pushBlob(registry: string, repository: string, blob: Blob): Promise<void> {
  const started = await send('POST', `${registry}/v2/${repository}/blobs/uploads/`, {}, Buffer.alloc(0));
  if (started.status !== 202 || started.location === undefined) throw new Error(`upload refused: ${started.status}`);
  const location = new URL(started.location, registry);
  location.searchParams.set('digest', blob.digest);
  const finished = await send('PUT', location.href, { 'content-type': 'application/octet-stream' }, blob.bytes);
  if (finished.status !== 201) throw new Error(`blob refused: ${finished.status} ${finished.body}`);
}

/** Pushes under a tag, end-7 of the distribution specification. */
export async function pushManifest(
  registry: string,
  repository: string,
  tag: string,
  mediaType: string,
  manifest: Blob,
): Promise<void> {
  const url = `${registry}/v2/${repository}/manifests/${tag}`;
  const answer = await send('PUT', url, { 'content-type': mediaType }, manifest.bytes);
  if (answer.status !== 201) throw new Error(`manifest refused: ${answer.status} ${answer.body}`);
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

async function send(method: string, url: string, headers: Record<string, string>, body: Buffer): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method, agent: false, headers: { ...headers, 'content-length': body.length } }, resolve)
      .on('error', reject)
      .end(body);
  });
  return { status: response.statusCode ?? 0, location: response.headers.location, body: await text(response) };
}
