import { nameComponent, Namespace } from '../namespace.js';
import { matchesParts, matchesPattern } from './pattern.js';
import { maxNameLength, type RepositoryRef } from '../repository.js';

/** What fills a placeholder: one component of a name, or undefined when there is nothing to fill it with. */
export type Filling = (placeholder: string) => string | undefined;

/** Longest pattern in characters. */
const maxPatternLength = 512;
/** `{user}`, or `{claim:…}` with the name of a claim. */
const placeholderPattern = /\{([a-z]+(?::[A-Za-z0-9_./-]{1,128})?)\}/g;

/**
 * A pattern over `<namespace>/<name>`. `*` stands for any characters within a component, `**` as a component for any
 * number of components, at least one at the end; `{user}` and `{claim:…}` for one component that depends on who asks.
 */
export class RepositoryPattern {
  private constructor(
    private readonly text: string,
    /** The canonical namespace, in which `*` stands for any characters. */
    readonly namespace: string,
    private readonly components: readonly string[],
  ) {}

  /** @throws Error whose message completes a sentence that begins with the pattern's place. */
  static parse(text: string): RepositoryPattern {
    if (text.length > maxPatternLength) throw new Error(`must have at most ${maxPatternLength} characters`);
    const [first = '', ...rest] = text.split('/');
    // `**` alone is every repository.
    if (text === '**') return new RepositoryPattern(text, '*', ['**']);
    if (rest.length === 0) throw new Error('must be a namespace and a name, such as docker.io/** or local/team/app');
    const bad = rest.find((component) => !isComponent(component));
    if (bad !== undefined) throw new Error(`has a part that no repository name can have: "${bad.slice(0, 64)}"`);
    const namespace = canonicalNamespace(first);
    if (namespace === undefined) throw new Error('must begin with a namespace, which may have * in it');
    // Clients write `docker.io/nginx` for `docker.io/library/nginx`.
    const isOfficial = namespace === 'docker.io' && rest.length === 1 && rest[0] !== '**';
    return new RepositoryPattern(text, namespace, isOfficial ? ['library', ...rest] : rest);
  }

  /** The names of its placeholders, without braces. */
  get placeholders(): string[] {
    return [...this.text.matchAll(placeholderPattern)].map(([, name = '']) => name);
  }

  /** Whether every repository of the namespace would be too long for it, so that it matches none. */
  get isUnmatchable(): boolean {
    const least = this.components
      .filter((component) => component !== '**')
      .join('/')
      .replaceAll('*', '');
    return least.replace(placeholderPattern, 'x').length > maxNameLength;
  }

  get isEverything(): boolean {
    return this.text === '**';
  }

  /** Whether a namespace can have a repository that matches. */
  mayBeIn(namespace: Namespace): boolean {
    return matchesPattern(this.namespace, namespace.toString());
  }

  /** Takes time linear in the lengths of the pattern and the name for each `**`. */
  matches({ namespace, name }: Pick<RepositoryRef, 'namespace' | 'name'>, fill: Filling = () => undefined): boolean {
    if (!this.mayBeIn(namespace)) return false;
    const filled = this.components.map((component) => fillComponent(component, fill));
    return filled.every((component) => component !== undefined) && matchesParts(filled, name.split('/'));
  }

  /** As a person would read it, filled as far as it can be. */
  describe(fill: Filling = () => undefined): string {
    return this.text.replace(placeholderPattern, (whole, name: string) => safeFilling(fill(name)) ?? whole);
  }

  toString(): string {
    return this.text;
  }
}

function isComponent(component: string): boolean {
  if (component === '**') return true;
  // What stands for characters is replaced by a character, so that the rest can be checked as a name is.
  const plain = component.replace(placeholderPattern, 'x');
  if (plain.includes('**') || plain.length > maxNameLength) return false;
  return plain
    .split('*')
    .every((part) => /^[a-z0-9._-]*$/.test(part) && (plain.includes('*') || nameComponent.test(part)));
}

function canonicalNamespace(text: string): string | undefined {
  if (text === '*' || text === '**') return '*';
  try {
    // A star counts as a letter of the name.
    const isPattern = text.includes('*');
    const stand = 'xstarx';
    if (isPattern && text.includes(stand)) return undefined;
    const parsed = Namespace.parse(text.replaceAll('*', stand)).toString();
    return parsed.replaceAll(stand, '*');
  } catch {
    return undefined;
  }
}

function fillComponent(component: string, fill: Filling): string | undefined {
  const values = [...component.matchAll(placeholderPattern)].map(([, name = '']) => safeFilling(fill(name)));
  if (values.includes(undefined)) return undefined;
  return component.replace(placeholderPattern, () => values.shift() ?? '');
}

/** A value that is not one component of a name fills nothing: with a slash or a star it would match other repositories. */
function safeFilling(value: string | undefined): string | undefined {
  return value !== undefined && nameComponent.test(value) ? value : undefined;
}
