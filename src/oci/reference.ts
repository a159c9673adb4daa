import { Digest } from './digest.js';
import { OciError } from './error.js';

const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** A tag: 1 to 128 characters (distribution specification, "Pulling manifests"). */
export class Tag {
  private constructor(readonly name: string) {}

  /** @throws OciError TAG_INVALID */
  static parse(text: string): Tag {
    if (!tagPattern.test(text)) throw new OciError('TAG_INVALID');
    return new Tag(text);
  }

  toString(): string {
    return this.name;
  }
}

/** Identifies a manifest in a repository. */
export type Reference = Tag | Digest;

/** @throws OciError DIGEST_INVALID for text with a colon, which no tag has; TAG_INVALID otherwise. */
export function parseReference(text: string): Reference {
  return text.includes(':') ? Digest.parse(text) : Tag.parse(text);
}
