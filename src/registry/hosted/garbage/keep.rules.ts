import { matchesPath, matchesPattern } from '../../../oci/patterns/pattern.js';

const day = 86_400_000;

/** A rule of `keep`; times are in milliseconds. */
export interface KeepRule {
  readonly repositories: string;
  readonly tags: readonly string[];
  readonly last?: number | undefined;
  readonly pushedWithin?: number | undefined;
  readonly pulledWithin?: number | undefined;
}

/** A tag and its times, in milliseconds since 1970. */
export interface DatedTag {
  readonly name: string;
  readonly pushedAt: number;
  /** When it, or the manifest that it names, was last pushed or pulled. */
  readonly usedAt: number;
}

/** A tag that goes. */
export interface UnkeptTag<T extends DatedTag> {
  readonly tag: T;
  readonly reason: string;
}

/** The digest of the manifest that a tag such as `sha256-….sig` belongs to; signatures and fallback tags have it. */
export function subjectOf(tag: string): string | undefined {
  const [, hex] = /^sha256-([0-9a-f]{64})(?:\..+)?$/.exec(tag) ?? [];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

interface NumberedRule {
  readonly rule: KeepRule;
  /** Its place in the configuration. */
  readonly index: number;
}

/** The rules that keep the tags of one repository. Pure: the times are the caller's. */
export class KeepRules {
  private constructor(
    private readonly rules: readonly NumberedRule[],
    private readonly immutable: readonly string[],
  ) {}

  /** @param immutable patterns of tags that never go. @param name of the repository, within its namespace */
  static of(rules: readonly KeepRule[], immutable: readonly string[], name: string): KeepRules {
    const own = rules.map((rule, index) => ({ rule, index }));
    return new KeepRules(
      own.filter(({ rule }) => matchesPath(rule.repositories, name)),
      immutable,
    );
  }

  /** Whether no tag of the repository can go. */
  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** Whether some rule is about the tag, so that it goes unless one keeps it. */
  matches(tag: string): boolean {
    return !matchesAny(this.immutable, tag) && this.rules.some(({ rule }) => isAbout(rule, tag));
  }

  /** The tags that some rule is about and no rule keeps. @param tags all of the repository */
  findUnkept<T extends DatedTag>(tags: readonly T[], now: number): UnkeptTag<T>[] {
    const candidates = new Map<T, string[]>();
    const kept = new Set<T>();
    for (const { rule, index } of this.rules) {
      const own = tags.filter(({ name }) => isAbout(rule, name));
      own.sort((one, other) => other.pushedAt - one.pushedAt || (one.name < other.name ? -1 : 1));
      for (const [newer, tag] of own.entries()) {
        const reasons = reasonsAgainst(rule, tag, newer, now);
        if (reasons === undefined) kept.add(tag);
        else if (!kept.has(tag)) candidates.set(tag, [...(candidates.get(tag) ?? []), `keep[${index}]: ${reasons}`]);
      }
    }
    return [...candidates].flatMap(([tag, reasons]) =>
      kept.has(tag) || matchesAny(this.immutable, tag.name) ? [] : { tag, reason: reasons.join('; ') },
    );
  }
}

/** Undefined when the rule keeps the tag. @param newer how many of its tags were pushed later */
function reasonsAgainst(rule: KeepRule, tag: DatedTag, newer: number, now: number): string | undefined {
  const { last, pushedWithin, pulledWithin } = rule;
  if (last === undefined && pushedWithin === undefined && pulledWithin === undefined) return undefined;
  const [pushed, used] = [now - tag.pushedAt, now - tag.usedAt];
  if (last !== undefined && newer < last) return undefined;
  if (pushedWithin !== undefined && pushed <= pushedWithin) return undefined;
  if (pulledWithin !== undefined && used <= pulledWithin) return undefined;
  const parts = [
    last === undefined ? [] : `${newer} newer tags`,
    pushedWithin === undefined ? [] : `pushed ${daysOf(pushed)} ago`,
    pulledWithin === undefined ? [] : `not pulled for ${daysOf(used)}`,
  ];
  return parts.flat().join(', ');
}

function daysOf(time: number): string {
  return time < day ? `${Math.floor(time / 3_600_000)}h` : `${Math.floor(time / day)}d`;
}

/** Tags of signatures go with what they sign, so `*` is not about them. */
function isAbout({ tags }: KeepRule, tag: string): boolean {
  const isAttached = subjectOf(tag) !== undefined;
  return tags.some((pattern) => (!isAttached || pattern.startsWith('sha256-')) && matchesPattern(pattern, tag));
}

function matchesAny(patterns: readonly string[], tag: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, tag));
}
