import { EventsService } from '../../../../src/events/events.service.js';
import { makeImage, type FixtureImage } from '../../../fixtures/images.js';
import type { MirrorOptions } from '../../support/mirror.js';
import { until } from '../../support/until.js';
import { Hosting } from '../../push/support/hosting.js';

/** A small image, another one for each seed. */
export const smallImage = (seed: string): FixtureImage => makeImage({ layers: [64], seed });

/** A server with a webhook. @param more keys of its entry, one a line */
export function notifying(
  url: string,
  more: readonly string[] = [],
  { server, ...options }: MirrorOptions = {},
): Promise<Hosting> {
  const webhooks = [`- name: ci`, `  url: ${url}`, ...more.map((line) => `  ${line}`)].join('\n');
  return Hosting.start({
    webhooks,
    server: { listen: '127.0.0.1:8080', unknownNamespaces: 'deny', ...server },
    ...options,
  });
}

export function statisticsOf({ mirror }: Hosting) {
  return mirror.app.get(EventsService).statistics[0]!;
}

/** Waits until nothing waits for its delivery. */
export async function delivered(hosting: Hosting): Promise<void> {
  await until('every event is delivered', () => statisticsOf(hosting).queued === 0);
}

/** Pushes the manifest of an image whose blobs are there. @returns the status */
export async function put(hosting: Hosting, image: FixtureImage, reference: string, repository = 'local/app') {
  const { status } = await hosting.ask('PUT', `/v2/${repository}/manifests/${reference}`, {
    body: image.manifest.body,
    headers: [`content-type: ${image.manifest.mediaType}`],
  });
  return status;
}
