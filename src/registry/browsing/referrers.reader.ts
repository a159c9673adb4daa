import { Injectable } from '@nestjs/common';
import { Digest } from '../../oci/digest.js';
import { artifactKind, knownKind, type ArtifactKind } from '../../oci/manifests/artifact-kind.js';
import {
  maxShownBytes,
  readShownManifest,
  type ShownDescriptor,
  type ShownManifest,
} from '../../oci/manifests/shown-manifest.js';
import { manifestMediaTypes } from '../../oci/media-type.js';
import { Tag } from '../../oci/reference.js';
import type { RepositoryRef } from '../../oci/repository.js';
import { bundleSigner, cosignSigner, notationSigner, type Signer } from '../../oci/signatures/signer.js';
import { ReferrerStore } from '../../storage/stores/hosted/referrer.store.js';
import { ListStore } from '../../storage/stores/list.store.js';
import type { ReferrerRow } from './browsed.js';
import { BrowsedDocuments } from './documents.js';
import { StoredContent } from './stored.content.js';
import { Turns } from './listing/turns.js';
import type { Viewer } from './viewer.js';

/** Referrers of one image that are shown, and signatures in one of them. */
const mostShown = 50;
const mostSignatures = 10;
/** Signatures of all of them that are blobs of their own. */
const mostBlobs = 20;
/** Referrers that are read at one time. */
const concurrency = 4;

/** What refers to an image, and where that is known from. */
interface Found {
  readonly reference: string;
  readonly digest: Digest;
  readonly artifactType: string | undefined;
  readonly size: number | undefined;
}

/** What is still to be read for one page. */
interface Budget {
  blobs: number;
}

export interface Referrers {
  readonly rows: readonly ReferrerRow[];
  readonly hasMore: boolean;
}

/** Signatures, attestations and other referrers of an image that are stored here: no upstream is asked for more. */
@Injectable()
export class ReferrersReader {
  constructor(
    private readonly content: StoredContent,
    private readonly documents: BrowsedDocuments,
    private readonly hosted: ReferrerStore,
    private readonly lists: ListStore,
    private readonly turns: Turns,
  ) {}

  /** @throws StorageError */
  async of(viewer: Viewer, repository: RepositoryRef, subject: Digest): Promise<Referrers> {
    const [listed, indexed, tagged] = await Promise.all([
      this.listed(repository, subject),
      this.indexed(viewer, repository, subject),
      this.tagged(viewer, repository, subject),
    ]);
    const all = new Map([...listed, ...indexed, ...tagged].map((each) => [each.digest.toString(), each]));
    const shown = [...all.values()].slice(0, mostShown);
    const rows: ReferrerRow[] = [];
    const budget = { blobs: mostBlobs };
    for (let done = 0; done < shown.length; done += concurrency) {
      const batch = shown.slice(done, done + concurrency);
      rows.push(...(await Promise.all(batch.map((each) => this.row(viewer, repository, each, budget)))));
    }
    return { rows, hasMore: all.size > mostShown };
  }

  /** From the list of referrers: of what was pushed, or as the upstream last sent it to a client. */
  private async listed(repository: RepositoryRef, subject: Digest): Promise<Found[]> {
    if (this.content.isHosted(repository)) {
      const digests = await this.hosted.list(repository, subject, undefined, mostShown + 1);
      // The manifests themselves say what they are: their records have annotations of any size.
      return digests.map((digest) => ({
        reference: digest.toString(),
        digest,
        artifactType: undefined,
        size: undefined,
      }));
    }
    const list = await this.lists.find(repository, `referrers/${subject.toString()}?`);
    return list && list.body.length <= maxShownBytes ? this.inIndex(Buffer.from(list.body)) : [];
  }

  /** From the index under the referrers tag (distribution specification, "Referrers Tag Schema"). */
  private async indexed(viewer: Viewer, repository: RepositoryRef, subject: Digest): Promise<Found[]> {
    const found = await this.content.findTag(viewer, repository, tagOf(subject));
    const document = found && (await this.documents.findManifest(viewer, repository, found.digest));
    return document?.body ? this.inIndex(document.body) : [];
  }

  /** From the tags that Cosign makes. */
  private async tagged(viewer: Viewer, repository: RepositoryRef, subject: Digest): Promise<Found[]> {
    const found = ['sig', 'att', 'sbom'].map(async (end) => {
      const tag = tagOf(subject, end);
      const target = await this.content.findTag(viewer, repository, tag);
      if (!target) return [];
      const { digest } = target;
      return [
        {
          reference: tag.name,
          digest,
          artifactType: `application/vnd.dev.cosign.artifact.${end}.v1+json`,
          size: undefined,
        },
      ];
    });
    return (await Promise.all(found)).flat();
  }

  private async inIndex(body: Buffer): Promise<Found[]> {
    await this.turns.next();
    const index = readShownManifest(body, manifestMediaTypes.ociIndex);
    return (index?.manifests ?? []).map(({ digest, artifactType, size }) => {
      return { reference: digest.toString(), digest, artifactType, size };
    });
  }

  private async row(viewer: Viewer, repository: RepositoryRef, found: Found, budget: Budget): Promise<ReferrerRow> {
    const { digest, reference } = found;
    const document = await this.documents.findManifest(viewer, repository, digest);
    await this.turns.next();
    const manifest = document?.body && readShownManifest(document.body, document.mediaType);
    if (!manifest) {
      const kind = kindOf(found);
      return { reference, kind, size: found.size, created: undefined, predicates: [], signers: [], isStored: false };
    }
    const signers = await this.signersOf(viewer, repository, manifest, budget);
    const told = manifest.layers.flatMap((layer) => layer.told.predicate ?? []);
    const predicates = [...new Set([...told, ...signers.flatMap(({ predicate }) => predicate ?? [])])];
    const created = manifest.annotations.entries.find(({ name }) => name === 'org.opencontainers.image.created')?.text;
    const kind = knownKind(found.artifactType) ?? manifest.kind;
    return { reference, kind, size: manifest.size, created, predicates, signers, isStored: true };
  }

  private async signersOf(
    viewer: Viewer,
    repository: RepositoryRef,
    { layers }: ShownManifest,
    budget: Budget,
  ): Promise<Signer[]> {
    const signers: Signer[] = [];
    for (const layer of layers.slice(0, mostSignatures)) {
      const signer = await this.signerOf(viewer, repository, layer, budget);
      if (signer) signers.push(signer);
    }
    return signers;
  }

  private async signerOf(
    viewer: Viewer,
    repository: RepositoryRef,
    { digest, mediaType = '', told }: ShownDescriptor,
    budget: Budget,
  ): Promise<Signer | undefined> {
    if (told.signature !== undefined || told.certificate !== undefined)
      return cosignSigner(told.certificate, told.bundle);
    const read = mediaType.startsWith('application/vnd.dev.sigstore.bundle') ? bundleSigner : notationSigner;
    if (read === notationSigner && mediaType !== 'application/jose+json') return undefined;
    if (budget.blobs === 0) return undefined;
    budget.blobs -= 1;
    const bytes = await this.documents.findBlob(viewer, repository, digest);
    if (!bytes) return undefined;
    await this.turns.next();
    return read(bytes);
  }
}

/** By what the list says, for what is not stored. */
function kindOf({ artifactType }: Found): ArtifactKind {
  return artifactKind({ mediaType: manifestMediaTypes.ociManifest, artifactType, layerTypes: [] });
}

function tagOf({ algorithm, hex }: Digest, end?: string): Tag {
  // As clients do, also for digests that are too long for a tag.
  const name = `${algorithm}-${hex}`.slice(0, 128 - (end === undefined ? 0 : end.length + 1));
  return Tag.parse(end === undefined ? name : `${name}.${end}`);
}
