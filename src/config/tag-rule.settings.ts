import { matchesPattern } from '../oci/patterns/pattern.js';
import { parseDuration } from './values/duration.js';
import { IsTagPattern, IsTagTtl } from './validation/rules.js';
import { Setting } from './validation/setting.decorator.js';

/** The lifetime of tags that match a pattern. */
export interface TagRule {
  /** A tag in which `*` stands for any characters. */
  readonly pattern: string;
  /** Milliseconds; Infinity for a tag that never moves. */
  readonly ttl: number;
}

/** One entry of an upstream's `tags`. */
export class TagRuleSettings implements TagRule {
  @Setting({ name: 'pattern', description: 'tags that the rule is for; * stands for any characters' })
  @IsTagPattern()
  pattern!: string;

  @Setting({
    name: 'ttl',
    parse: parseTtl,
    description: '`immutable`: the registry is never asked again; `always`: it is asked each time; or a duration',
  })
  @IsTagTtl()
  ttl!: number;
}

function parseTtl(text: string): number | undefined {
  if (text === 'immutable') return Infinity;
  return text === 'always' ? 0 : parseDuration(text);
}

/** Milliseconds of the first rule for the tag, Infinity for an immutable one; undefined when no rule is for it. */
export function ttlOf(rules: readonly TagRule[], tag: string): number | undefined {
  return rules.find(({ pattern }) => matchesPattern(pattern, tag))?.ttl;
}
