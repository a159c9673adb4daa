import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Digest } from '../../src/oci/digest.js';
import { Namespace } from '../../src/oci/namespace.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { ContentStore } from '../../src/storage/stores/content.store.js';
import { keys } from '../../src/storage/keys.js';
import { FilesystemProvider } from '../../src/storage/providers/filesystem/filesystem.provider.js';
import type { LaidOut } from '../scenarios/scenario.js';
import { sharedBytes, shiftedBytes } from './bytes.js';

export interface StoredObjects extends LaidOut {
  readonly repository: string;
  readonly digests: readonly string[];
  /** Digests, one a line. */
  readonly names: string;
}

/** Files that are written at one time. */
const parallel = 16;

/**
 * Many small blobs of one repository, in the folder of a mirror and in that of docker-registry, as each of them would
 * have written them.
 * @param folder an empty one
 * @param size bytes of each blob
 */
export async function layOut(folder: string, namespace: string, count: number, size: number): Promise<StoredObjects> {
  const objects = { mirror: join(folder, 'mirror'), registry: join(folder, 'registry'), names: join(folder, 'names') };
  const repository = 'bench/objects';
  const ref = RepositoryRef.of(Namespace.parse(namespace), repository);
  const provider = new UnsyncedProvider(objects.mirror);
  const store = new ContentStore(provider);
  const blobs = { count, size, seed: `objects ${count}` };
  const shared = sharedBytes(blobs);
  const digests: string[] = [];
  const worker = async (): Promise<void> => {
    while (digests.length < count) {
      const bytes = shiftedBytes(blobs, shared, digests.length);
      const digest = Digest.of(bytes);
      digests.push(digest.toString());
      await provider.write(keys.content(digest), bytes);
      await store.link(ref, digest, { size, isPrivate: false, agreedAt: Date.now() });
      await writeAsRegistry(objects.registry, repository, digest, bytes);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  await writeFile(objects.names, digests.map((digest) => `${digest}\n`).join(''));
  return { ...objects, repository, digests };
}

/** Keys, records and files as they are, without the fsyncs, of which a hundred thousand objects would take hours. */
class UnsyncedProvider extends FilesystemProvider {
  constructor(private readonly top: string) {
    super(top);
  }

  override write(key: string, content: Uint8Array): Promise<void> {
    return writeWithFolder(join(this.top, key), content, { folder: 0o700, file: 0o600 });
  }
}

/** The layout of distribution's storage driver: the bytes once, and a link from the repository that has them. */
async function writeAsRegistry(folder: string, repository: string, { hex }: Digest, bytes: Buffer): Promise<void> {
  const root = join(folder, 'docker/registry/v2');
  const modes = { folder: 0o777, file: 0o666 };
  await writeWithFolder(join(root, 'blobs/sha256', hex.slice(0, 2), hex, 'data'), bytes, modes);
  const link = join(root, 'repositories', repository, '_layers/sha256', hex, 'link');
  await writeWithFolder(link, Buffer.from(`sha256:${hex}`), modes);
}

interface Modes {
  readonly folder: number;
  readonly file: number;
}

async function writeWithFolder(path: string, content: Uint8Array, { folder, file }: Modes): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: folder });
  await writeFile(path, content, { mode: file });
}
