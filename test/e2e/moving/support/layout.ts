import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FixtureBlob, FixtureContent } from '../../../fixtures/images.js';
import { tar, type TarFile } from './tar.js';

export interface LayoutImage {
  readonly content: FixtureContent;
  readonly tag?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Blobs and manifests of an image, those of its platforms included. */
export function blobsOf(content: FixtureContent): FixtureBlob[] {
  if ('children' in content) return [...content.children.flatMap(blobsOf), content.manifest];
  if ('config' in content) return [content.config, ...content.layers, content.manifest];
  return [content.manifest];
}

/** The files of an OCI layout. @param others blobs that nothing in it names */
export function layoutFiles(images: readonly LayoutImage[], { without = '' } = {}): TarFile[] {
  const all = images.flatMap(({ content }) => blobsOf(content)).filter(({ digest }) => digest !== without);
  const blobs = new Map(all.map(({ digest, body }) => [`blobs/${digest.replace(':', '/')}`, body]));
  const manifests = images.map(({ content: { manifest }, tag, annotations }) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.body.length,
    annotations: { ...(tag !== undefined && { 'org.opencontainers.image.ref.name': tag }), ...annotations },
  }));
  return [
    { name: 'oci-layout', body: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', body: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...[...blobs].map(([name, body]) => ({ name, body })),
  ];
}

export async function writeFiles(folder: string, files: readonly TarFile[]): Promise<string> {
  for (const { name, body = '' } of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), body);
  }
  return folder;
}

export async function writeTar(
  path: string,
  files: readonly TarFile[],
  options?: { trailer: boolean },
): Promise<string> {
  await writeFile(path, tar(files, options));
  return path;
}
