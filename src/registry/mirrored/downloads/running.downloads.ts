import type { Digest } from '../../../oci/digest.js';
import type { Download } from './download.js';

/** Running and queued downloads, at most one per digest and upstream. */
export class RunningDownloads {
  /** By digest, then by the identity of the upstream. */
  private readonly downloads = new Map<string, Map<string, Download>>();

  *[Symbol.iterator](): Iterator<Download> {
    for (const ofDigest of this.downloads.values()) yield* ofDigest.values();
  }

  find(upstream: string, digest: Digest): Download | undefined {
    return this.downloads.get(digest.toString())?.get(upstream);
  }

  /** Whether the digest is downloaded from any upstream. */
  has(digest: Digest): boolean {
    return this.downloads.has(digest.toString());
  }

  /** Replaces an earlier download, which may still be running but cannot be joined. */
  add(upstream: string, download: Download): void {
    const key = download.digest.toString();
    const ofDigest = this.downloads.get(key) ?? new Map<string, Download>();
    this.downloads.set(key, ofDigest.set(upstream, download));
  }

  /** Does nothing when another download has replaced it. */
  remove(upstream: string, download: Download): void {
    const key = download.digest.toString();
    const ofDigest = this.downloads.get(key);
    if (ofDigest?.get(upstream) !== download) return;
    ofDigest.delete(upstream);
    if (ofDigest.size === 0) this.downloads.delete(key);
  }
}
