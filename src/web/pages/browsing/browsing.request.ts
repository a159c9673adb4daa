import { OciError } from '../../../oci/error.js';
import { parseReference, type Reference } from '../../../oci/reference.js';
import { RepositoryRef } from '../../../oci/repository.js';
import type { Viewer } from '../../../registry/browsing/viewer.js';
import type { PageContext } from '../../page.context.js';
import type { Visitor } from '../../visitor.js';

/** Longest text of a search, in characters: repository names have as many. */
export const longestSearch = 255;
/** Longest mark of where a page starts, in characters. */
const longestMark = 600;

/** Rules decide what a visitor sees; without an access file everybody sees what is not private. */
export function viewerOf(visitor: Visitor): Viewer {
  const { reader, isAdministrator } = visitor;
  return {
    maySee: (repository) => visitor.maySee(repository),
    seesPrivate: isAdministrator || reader !== undefined,
    isAdministrator,
  };
}

/** @throws OciError NOT_FOUND for what no repository can be named */
export function repositoryOf({ query }: PageContext): RepositoryRef {
  return found(() => RepositoryRef.parse(query.get('name') ?? ''));
}

/** @throws OciError NOT_FOUND */
export function referenceOf({ query }: PageContext): Reference {
  return found(() => parseReference(query.get('reference') ?? ''));
}

export function searchOf({ query }: PageContext): string {
  return (query.get('q') ?? '').trim().slice(0, longestSearch);
}

export function markOf({ query }: PageContext): string {
  return (query.get('last') ?? '').slice(0, longestMark);
}

/** A link to a page of this server. Empty parameters are left out. */
export function linkTo(page: string, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
  return `/_ui/${page}${query.size === 0 ? '' : `?${query.toString()}`}`;
}

export function imageLink(repository: RepositoryRef, reference: string): string {
  return linkTo('image', { name: repository.toString(), reference });
}

function found<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof OciError) throw new OciError('NOT_FOUND');
    throw error;
  }
}
