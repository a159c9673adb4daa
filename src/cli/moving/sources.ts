import { stat } from 'node:fs/promises';
import { Archive } from './archives/archive.js';
import { DockerArchiveSource } from './archives/docker-archive.source.js';
import { Folder } from './archives/files.js';
import { findRegistryFolder, RegistryFolderSource } from './archives/registry-folder.source.js';
import type { Choice, Source } from './content.js';
import { LayoutSource } from './layouts/layout.source.js';
import { MoveError, reasonOf } from './move-error.js';

/** A source, and whether it has repositories whose names it keeps. */
export interface OpenedSource {
  readonly source: Source;
  readonly keepsNames: boolean;
}

/** Opens a folder or a file of any kind that can be imported. @throws MoveError */
export async function openSource(path: string, choice: Choice, signal: AbortSignal): Promise<OpenedSource> {
  const found = await stat(path).catch((error: unknown) => {
    throw new MoveError(reasonOf(error));
  });
  if (found.isDirectory()) return openFolder(new Folder(path), choice);
  if (!found.isFile()) throw new MoveError('it is neither a folder nor a regular file');
  return { source: await openArchive(path, choice, signal), keepsNames: false };
}

async function openFolder(folder: Folder, choice: Choice): Promise<OpenedSource> {
  if ((await folder.sizeOf('oci-layout')) !== undefined)
    return { source: await LayoutSource.open(folder, choice), keepsNames: false };
  const path = await findRegistryFolder(folder);
  if (path !== undefined)
    return { source: new RegistryFolderSource(folder, path, choice.repositories, choice.tags), keepsNames: true };
  throw new MoveError('the folder is neither an OCI layout nor the storage of a registry');
}

async function openArchive(path: string, choice: Choice, signal: AbortSignal): Promise<Source> {
  const archive = await Archive.open(path, signal);
  try {
    // Docker writes both since version 25.
    if (archive.has('oci-layout')) return await LayoutSource.open(archive, choice);
    if (archive.has('manifest.json')) return await DockerArchiveSource.open(archive, choice);
    const truncated = archive.hasEnd ? '' : 'the archive is truncated: it has no end marker, and ';
    throw new MoveError(
      archive.has('repositories') && archive.hasEnd
        ? 'the archive is of a Docker before version 1.10: load it into a later one and save it again'
        : `${truncated || 'the archive has '}neither an OCI layout nor what docker save writes`,
    );
  } catch (error) {
    await archive.close();
    throw error;
  }
}
