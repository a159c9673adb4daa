import { app, descriptor, image, type HostedRegistry } from '../hosted/support/registry.js';

export const configType = 'application/vnd.oci.image.config.v1+json';
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

export const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Of a page of browsing. */
export const link = (page: string, query: Record<string, string>) =>
  `/_ui/${page}?${new URLSearchParams(query).toString()}`;
export const imageLink = (reference: string, name = app.toString()) => link('image', { name, reference });

/** What a reader sees. */
export const wordsOf = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/\s+/g, ' ');

export interface PushOptions {
  /** Of the manifest. */
  readonly fields?: object;
  readonly layers?: readonly string[];
  /** Media type of the config. */
  readonly type?: string;
}

/** Pushes an image with its blobs. @returns its manifest */
export async function pushImage(
  registry: HostedRegistry,
  reference: string,
  config: Buffer,
  { fields = {}, layers = ['layer'], type = configType }: PushOptions = {},
): Promise<Buffer> {
  await registry.pushBlob(config);
  for (const layer of layers) await registry.pushBlob(layer);
  const body = image(layers, { config: descriptor(config, type), ...fields });
  await registry.put(reference, body);
  return body;
}
