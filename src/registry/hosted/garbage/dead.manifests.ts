import type { Link } from '../../../storage/stores/hosted/link.store.js';

/** A manifest of a repository, with what decides whether it is kept. */
export interface ManifestNode {
  readonly link: Link;
  readonly children: readonly string[];
  readonly subject: string | undefined;
  /** A tag names it. */
  readonly isTagged: boolean;
  /** Unused for longer than the grace period. */
  readonly isOld: boolean;
  /** Unused for longer than manifests without a tag are kept. */
  readonly isExpired: boolean;
}

export interface DeadManifest {
  readonly node: ManifestNode;
  /** The subject that it goes with. */
  readonly subject: string | undefined;
}

/**
 * Manifests without a tag that no live index lists and that refer to no live subject, in an order in which each comes after
 * those that would keep it.
 */
export class DeadManifests {
  private readonly dead = new Map<string, ManifestNode>();
  /** By digest, the dead manifests that go only after it. */
  private readonly followers = new Map<string, string[]>();
  /** How many others have to go first. */
  private readonly waiting = new Map<string, number>();
  private ready: string[] = [];

  constructor(private readonly nodes: ReadonlyMap<string, ManifestNode>) {
    const live = this.findLive();
    for (const [digest, node] of nodes) if (!live.has(digest)) this.dead.set(digest, node);
    for (const [digest, node] of this.dead) {
      for (const child of node.children) this.follow(digest, child);
      if (node.subject !== undefined) this.follow(node.subject, digest);
    }
    for (const digest of this.dead.keys()) if (!this.waiting.has(digest)) this.ready.push(digest);
  }

  /** Those that may go now: nothing that is left would keep them. */
  next(limit: number): DeadManifest[] {
    return this.ready.splice(0, limit).flatMap((digest) => {
      const node = this.dead.get(digest);
      const subject = node?.subject !== undefined && this.nodes.has(node.subject) ? node.subject : undefined;
      return node ? [{ node, subject }] : [];
    });
  }

  /** To be called when it is gone. What it would have kept stays as long as it does. */
  remove({ node }: DeadManifest): void {
    for (const follower of this.followers.get(node.link.digest.toString()) ?? []) {
      const left = (this.waiting.get(follower) ?? 1) - 1;
      this.waiting.set(follower, left);
      if (left === 0) this.ready.push(follower);
    }
  }

  private findLive(): ReadonlySet<string> {
    const referrers = new Map<string, string[]>();
    for (const [digest, { subject }] of this.nodes) if (subject !== undefined) append(referrers, subject, digest);
    const live = new Set<string>();
    const found = [...this.nodes].filter(([, node]) => this.isRoot(node)).map(([digest]) => digest);
    for (let digest = found.pop(); digest !== undefined; digest = found.pop()) {
      const node = this.nodes.get(digest);
      if (!node || live.has(digest)) continue;
      live.add(digest);
      // One by one: a subject may have more referrers than a call can have arguments.
      for (const child of node.children) found.push(child);
      for (const referrer of referrers.get(digest) ?? []) found.push(referrer);
    }
    return live;
  }

  /** A referrer goes with its subject, however new it is beyond the grace period. */
  private isRoot({ isTagged, isOld, isExpired, subject }: ManifestNode): boolean {
    if (isTagged || !isOld) return true;
    return !isExpired && !(subject !== undefined && this.nodes.has(subject));
  }

  private follow(first: string, then: string): void {
    if (!this.dead.has(first) || !this.dead.has(then)) return;
    append(this.followers, first, then);
    this.waiting.set(then, (this.waiting.get(then) ?? 0) + 1);
  }
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
