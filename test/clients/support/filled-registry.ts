import { writeFile } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { freePort, statusOf } from './http.js';
import { type Image, type Images, makeImages } from './images.js';
import { Daemon, run } from './process.js';
import { Scratch } from './scratch.js';

declare module 'vitest' {
  interface ProvidedContext {
    images: Images;
    /** Folder of a registry with the images in it, as a push left it. */
    filledRegistry: string;
  }
}

/** Makes the images and pushes them once for the whole run; each client's upstream begins with what that left. */
export default async function fillRegistry(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await Scratch.open();
  try {
    const images = await makeImages(scratch);
    const folder = await scratch.folder('registry');
    await pushAll(scratch, folder, Object.values(images));
    project.provide('images', images);
    project.provide('filledRegistry', folder);
  } catch (error) {
    await scratch.close();
    throw error;
  }
  return () => scratch.close();
}

async function pushAll(scratch: Scratch, folder: string, images: readonly Image[]): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  const file = scratch.file('registry.json');
  const storage = { filesystem: { rootdirectory: folder } };
  await writeFile(file, JSON.stringify({ version: '0.1', log: { level: 'warn' }, storage, http: { addr: address } }));
  const [host, port] = address.split(':') as [string, string];
  const daemon = await Daemon.start('docker-registry', ['serve', file], {
    log: scratch.file('registry.log'),
    ready: async () => (await statusOf({ host, port: Number(port), path: '/v2/' })) === 200,
  });
  try {
    for (const { source, repository, tag } of images) {
      await run('skopeo', [
        ...['copy', '--quiet', '--insecure-policy', '--all', '--preserve-digests', '--dest-tls-verify=false'],
        ...[source, `docker://${address}/${repository}:${tag}`],
      ]);
    }
  } finally {
    await daemon.stop();
  }
}
