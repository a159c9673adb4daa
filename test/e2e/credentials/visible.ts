import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CredentialStage } from './stage.js';

/** Everything that others than the registry may see. */
export async function visible({ mirror, registry }: CredentialStage, texts: readonly string[]): Promise<string> {
  const pages = ['/', '/metrics', '/_admin/status', '/healthz', '/v2/'].map((path) => mirror.request.get(path));
  const responses = await Promise.all(pages);
  await mirror.settled();
  const files = await readdir(mirror.root, { recursive: true, withFileTypes: true });
  const stored = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'latin1'));
  // What is sent to the registry itself, and to its token server, may have it.
  const foreign = registry.requests.filter(({ kind }) => kind === 'cdn').map((request) => JSON.stringify(request));
  const urls = registry.requests.map(({ url }) => url);
  return [
    ...[mirror.log, ...texts, ...urls, ...foreign],
    ...responses.map(({ text, headers }) => `${text} ${JSON.stringify(headers)}`),
    ...(await Promise.all(stored)),
  ].join('\n');
}
