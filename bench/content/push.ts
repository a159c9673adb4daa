import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blob } from './bytes.js';
import { piecesOf, type LongBlob } from './long-blob.js';

/** Pushes in two requests, end-4a and end-6 of the distribution specification. */
export function pushBlob(registry: string, repository: string, { digest, bytes }: Blob): Promise<void> {
  return upload(registry, repository, digest, { size: bytes.length, pieces: [bytes] });
}

/** As `pushBlob`, with as little of it in memory as it takes. */
export function pushLongBlob(registry: string, repository: string, blob: LongBlob): Promise<void> {
  return upload(registry, repository, blob.digest, { size: blob.size, pieces: piecesOf(blob) });
}

async function upload(registry: string, repository: string, digest: string, body: Body): Promise<void> {
  const started = await send('POST', `${registry}/v2/${repository}/blobs/uploads/`, {}, { size: 0, pieces: [] });
  if (started.status !== 202 || started.location === undefined) throw new Error(`upload refused: ${started.status}`);
  const location = new URL(started.location, registry);
  location.searchParams.set('digest', digest);
  const finished = await send('PUT', location.href, { 'content-type': 'application/octet-stream' }, body);
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
  const answer = await send(
    'PUT',
    url,
    { 'content-type': mediaType },
    {
      size: manifest.bytes.length,
      pieces: [manifest.bytes],
    },
  );
  if (answer.status !== 201) throw new Error(`manifest refused: ${answer.status} ${answer.body}`);
}

interface Body {
  /** Bytes of all pieces. */
  readonly size: number;
  readonly pieces: Iterable<Buffer>;
}

interface HttpResponse {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

async function send(method: string, url: string, headers: Record<string, string>, body: Body): Promise<HttpResponse> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sending = request(
      url,
      { method, agent: false, headers: { ...headers, 'content-length': body.size } },
      resolve,
    );
    sending.on('error', reject);
    pipeline(Readable.from(body.pieces, { objectMode: true }), sending).catch(reject);
  });
  return { status: response.statusCode ?? 0, location: response.headers.location, body: await text(response) };
}
