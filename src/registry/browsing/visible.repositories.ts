import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../config/memory/at-most.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { keys } from '../../storage/keys.js';
import { CatalogStore } from '../../storage/stores/hosted/catalog.store.js';
import { ManifestStore } from '../../storage/stores/manifest.store.js';
import { StoredObjects } from '../../storage/stores/stored.objects.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';
import { HostedNamespaces } from '../hosted/hosted-namespaces.js';
import type { Viewer } from './viewer.js';

/** Manifests of a repository whose records are read, and how many at a time. */
const mostRead = 1_000;
const concurrency = 16;
/** How many repositories' privacy is remembered, and for how many milliseconds. */
const remembered = { ...atMost(20_000), ttl: 30_000 };

/** Which repositories a viewer may know of. */
@Injectable()
export class VisibleRepositories {
  private readonly known = new LRUCache<string, boolean>(remembered);

  constructor(
    private readonly hosted: HostedNamespaces,
    private readonly upstreams: UpstreamsService,
    private readonly manifests: ManifestStore,
    private readonly catalog: CatalogStore,
    private readonly objects: StoredObjects,
  ) {}

  /** @returns a promise only where the storage has to be read. @throws StorageError */
  has(viewer: Viewer, repository: RepositoryRef): boolean | Promise<boolean> {
    if (viewer.isAdministrator) return true;
    if (!viewer.maySee(repository)) return false;
    const { namespace } = repository;
    const key = repository.toString();
    // What was cached while the namespace was mirrored was never pushed, and not everybody who may pull here knew of it.
    if (this.hosted.has(namespace)) return this.known.get(key) ?? this.look(key, () => this.catalog.has(repository));
    if (!this.upstreams.isMirrored(namespace)) return false;
    if (viewer.seesPrivate) return true;
    // Whatever the records say, as on the status page.
    if (this.upstreams.takesCredentials(namespace) || this.upstreams.mayHaveSignedIn(namespace)) return false;
    return this.known.get(key) ?? this.look(key, () => this.isPublic(repository));
  }

  private async look(key: string, has: () => Promise<boolean>): Promise<boolean> {
    const isVisible = await has();
    // What is pushed next is there at once.
    if (isVisible) this.known.set(key, isVisible);
    return isVisible;
  }

  /** Whether it has manifests, and none was received with credentials. What has tags only may be private. */
  private async isPublic(repository: RepositoryRef): Promise<boolean> {
    let [read, isPublic] = [0, false];
    let reading: Promise<boolean>[] = [];
    for await (const { digest } of this.manifests.list(repository)) {
      // Past the memory of records: looking must not push out what is pulled.
      reading.push(this.objects.read({ key: keys.manifest(repository, digest) }).then(({ isPrivate }) => !isPrivate));
      read += 1;
      if (reading.length < concurrency && read < mostRead) continue;
      if ((await Promise.all(reading)).includes(false)) return false;
      [reading, isPublic] = [[], true];
      if (read === mostRead) break;
    }
    const rest = await Promise.all(reading);
    return rest.length === 0 ? isPublic : !rest.includes(false);
  }
}
