import { expect } from 'vitest';
import type { Client } from './client.js';
import { contents, type Image } from './images.js';

/** Has the client pull the image, and expects it to know the image by the digest it was made with and by no other. */
export async function pull(client: Client, image: Image): Promise<void> {
  const reported = await client.pull(image);
  expect(reported, `the digests that the client reports for ${image.repository}`).toContain(image.digest);
  expect(contents(image, client.takes).manifests, `the digests of ${image.repository}`).toEqual(
    expect.arrayContaining(reported),
  );
}

/** Every blob and manifest that pulling these images takes, each of them once. */
export function onceEach(kind: 'manifests' | 'blobs', images: Image[], takes: Client['takes']): Record<string, number> {
  return Object.fromEntries(images.flatMap((image) => contents(image, takes)[kind]).map((digest) => [digest, 1]));
}

/** One token for pulling each image's repository. */
export function oneTokenEach(images: Image[]): Record<string, number> {
  return Object.fromEntries(images.map(({ repository }) => [`repository:${repository}:pull`, 1]));
}
