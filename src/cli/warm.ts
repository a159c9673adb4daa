import type { ClientSettings } from '../config/client.settings.js';
import { parse, type AdminClient } from './admin.client.js';
import { ProgressLine, sizeText } from './progress.line.js';

/** Images per request: the maximum that the server accepts. */
const batchSize = 1_000;

interface Counted {
  readonly done: number;
  readonly total: number;
}

interface Event {
  readonly image: string;
  readonly platform?: string;
  readonly state: 'pulling' | 'done' | 'failed';
  readonly blobs: Counted;
  readonly bytes: Counted;
  readonly error?: { readonly code: string; readonly message: string };
}

/** @returns 1 when an image or one of its platforms could not be pulled, otherwise 0. */
export async function warm(
  client: AdminClient,
  { server, json }: ClientSettings,
  images: readonly string[],
  platforms: readonly string[],
): Promise<number> {
  const progress = new ProgressLine();
  let failed = 0;
  try {
    for (let first = 0; first < images.length; first += batchSize) {
      const body = { images: images.slice(first, first + batchSize), platforms };
      for await (const line of client.lines('/_admin/warm', body)) {
        const event = parse(line, server) as Event;
        if (event.state === 'failed') failed += 1;
        if (json) process.stdout.write(`${line}\n`);
        else show(event, progress);
      }
    }
  } finally {
    progress.end();
  }
  return failed > 0 ? 1 : 0;
}

function show(event: Event, progress: ProgressLine): void {
  const { image, platform, state, blobs, bytes, error } = event;
  const name = platform === undefined ? image : `${image} ${platform}`;
  if (state === 'failed') progress.print(`failed  ${name}: ${error?.message ?? 'unknown error'}`);
  else if (state === 'done') progress.print(`done    ${name}  ${blobs.total} blobs, ${sizeText(bytes.done)}`);
  else {
    const sizes = `${sizeText(bytes.done)} of ${sizeText(bytes.total)}, ${blobs.done} of ${blobs.total} blobs`;
    progress.update(bytes.total === 0 ? 0 : bytes.done / bytes.total, `${name}  ${sizes}`);
  }
}
