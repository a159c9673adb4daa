import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Descriptor, DOCKER, ImageLayout, OCI, type Platform } from './image-layout.js';
import type { Scratch } from './scratch.js';
import type { Entry } from './tar.js';

/** An image as it was made: what a client that pulled it must report, and what that must have cost the upstream. */
export interface Image {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly platforms: readonly Platform[];
  /** Where skopeo copies it from. */
  readonly source: string;
}

export interface Images {
  /** An OCI index for two platforms. */
  readonly multi: Image;
  /** A Docker schema 2 image; its first layer is also in `multi`. */
  readonly schema2: Image;
  /** An OCI image with a layer of 200 MB that does not compress. */
  readonly big: Image;
  /** The same with 16 MB, for what a larger one would only make slower. */
  readonly medium: Image;
}

/** What a container of any of the images prints. */
export const GREETING = 'hello from the mirrored image';

export const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** The digests of everything in an image, for the host's platform alone or for all. */
export function contents(image: Image, platforms: 'host' | 'all'): { manifests: string[]; blobs: string[] } {
  const taken = image.platforms.filter(({ architecture }) => platforms === 'all' || architecture === hostArchitecture);
  return {
    manifests: [...new Set([image.digest, ...taken.map(({ manifest }) => manifest)])],
    blobs: [...new Set(taken.flatMap(({ blobs }) => blobs))],
  };
}

/** Makes the images anew, so that no cache of an earlier run can have them. */
export async function makeImages(scratch: Scratch): Promise<Images> {
  const layout = new ImageLayout(await scratch.folder('images'), ['/bin/echo', GREETING]);
  const serial = file('etc/serial', randomBytes(16));
  const base = await layout.layer([...folders, await busybox(), ...applets, serial]);
  const platforms: (Descriptor & Platform)[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const own = await layout.layer([serial, file('etc/architecture', Buffer.from(`${architecture}\n`))]);
    platforms.push(await layout.image(OCI, architecture, [base, own]));
  }
  const index = await layout.index(platforms);
  const app = await layout.layer([file('app/data', randomBytes(100_000))]);
  const schema2 = await layout.image(DOCKER, hostArchitecture, [base, app]);
  const ofNoise = async (megabytes: number) => {
    const content = { size: megabytes * 1_000_000, chunks: noise(megabytes) };
    const layer = await layout.layer([file('data', content)], { level: 0 });
    return layout.image(OCI, hostArchitecture, [base, layer]);
  };
  const big = await ofNoise(200);
  const medium = await ofNoise(16);

  return {
    multi: {
      ...{ repository: 'library/multi', tag: '1', digest: index.digest, platforms },
      source: await layout.ociSource('multi', index),
    },
    schema2: {
      ...{ repository: 'team/app/schema2', tag: '1.0', digest: schema2.digest, platforms: [schema2] },
      source: await layout.folderSource(scratch.file('schema2'), schema2),
    },
    big: {
      ...{ repository: 'team/big', tag: '1', digest: big.digest, platforms: [big] },
      source: await layout.ociSource('big', big),
    },
    medium: {
      ...{ repository: 'team/medium', tag: '1', digest: medium.digest, platforms: [medium] },
      source: await layout.ociSource('medium', medium),
    },
  };
}

const file = (path: string, content: Entry['content'] & object): Entry => ({ path, content });
const folders: Entry[] = ['bin/', 'dev/', 'etc/', 'proc/', 'sys/', 'tmp/'].map((path) => ({ path }));
const applets: Entry[] = ['sh', 'echo', 'cat'].map((name) => ({ path: `bin/${name}`, linkTarget: 'busybox' }));

async function busybox(): Promise<Entry> {
  const content = await readFile('/bin/busybox').catch((error: unknown) => {
    throw new Error('/bin/busybox is missing; it is in the Debian package busybox-static', { cause: error });
  });
  return { path: 'bin/busybox', mode: 0o755, content };
}

function* noise(megabytes: number): Generator<Buffer> {
  for (let count = 0; count < megabytes; count += 1) yield randomBytes(1_000_000);
}
