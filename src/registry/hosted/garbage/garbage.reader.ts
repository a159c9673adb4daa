import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Digest } from '../../../oci/digest.js';
import { ManifestError } from '../../../oci/manifest.js';
import { namedDigests, type NamedDigests } from '../../../oci/manifests/named-digests.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import { keys } from '../../../storage/keys.js';
import { HostedStore } from '../../../storage/stores/hosted/hosted.store.js';
import { LinkStore } from '../../../storage/stores/hosted/link.store.js';
import { StoredManifests } from '../../reading/stored-manifests.js';

/** Digests remembered, by the manifest that names them. */
const maxRemembered = 100_000;

/** What a manifest names is unknown, and with it what is garbage. */
export class UnreadableManifest extends Error {
  override readonly name = 'UnreadableManifest';
}

/** Reads what manifests of hosted repositories name: all of it, or it throws. */
@Injectable()
export class GarbageReader {
  private readonly known = new LRUCache<string, NamedDigests>({ maxSize: maxRemembered });

  constructor(
    private readonly store: HostedStore,
    private readonly links: LinkStore,
    private readonly bodies: StoredManifests,
  ) {}

  /** @returns undefined when the manifest was removed meanwhile. @throws UnreadableManifest; StorageError; OciError */
  async find(repository: RepositoryRef, digest: Digest): Promise<NamedDigests | undefined> {
    const key = `${repository.toString()}@${digest.toString()}`;
    const known = this.known.get(key);
    if (known) return known;
    const record = await this.store.findManifest(repository, digest);
    const body = record && (await this.bodies.find(digest, record.size));
    if (!record || !body) {
      if (!(await this.links.find(keys.manifest(repository, digest)))) return undefined;
      throw new UnreadableManifest(`the manifest ${digest.toString()} cannot be read`);
    }
    const named = read(body, record.mediaType, digest);
    this.known.set(key, named, { size: named.all.size + 1 });
    return named;
  }
}

function read(body: Buffer, mediaType: string, digest: Digest): NamedDigests {
  try {
    return namedDigests(body, mediaType);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new UnreadableManifest(`the manifest ${digest.toString()} cannot be read: ${error.message}`);
  }
}
