import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { NamespaceRules } from '../request-target.js';

/** Characters of remembered targets, and what each counts besides. */
const budget = 2 * 1024 * 1024;
const overhead = 128;
/** Longest remembered target with its Host header, in characters. */
const longest = 1024;

/** Remembers to what the targets of cached responses are folded, in each shape in which clients write them. */
export class FoldedTargets {
  private readonly targets = new LRUCache<string, string>({ maxSize: budget });

  constructor(private readonly rules: NamespaceRules) {}

  /** Forgets everything: the rules are other ones. */
  clear(): void {
    this.targets.clear();
  }

  set({ originalUrl, raw, headers }: Pick<FastifyRequest, 'originalUrl' | 'raw' | 'headers'>): void {
    const key = this.keyOf(originalUrl, headers.host ?? '');
    const target = raw.url ?? '';
    if (key.length <= longest) this.targets.set(key, target, { size: overhead + key.length + target.length });
  }

  /** @param url as the client sent it. @param host of its only Host header */
  find(url: string, host: string): string | undefined {
    return this.targets.get(this.keyOf(url, host));
  }

  /** The Host header can only name a hosted namespace. A target has no space. */
  private keyOf(url: string, host: string): string {
    return this.rules.hosted === undefined || this.rules.hosted.size === 0 ? url : `${url} ${host}`;
  }
}
