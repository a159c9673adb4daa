import type { RepositoryRef } from '../../oci/repository.js';
import type { UploadRecord } from '../../storage/stores/upload.store.js';

/** Where an upload session was begun, and by whom. Nobody else may know of it. */
export interface SessionOwner {
  readonly repository: RepositoryRef;
  /** Identity of the client; undefined when it did not sign in. */
  readonly client: string | undefined;
  /** What the URL of the session says of its beginning. */
  readonly begun?: string | undefined;
}

export function isOwn(
  { repository, client }: SessionOwner,
  session: Pick<UploadRecord, 'repository' | 'startedBy'> | undefined,
): boolean {
  return session?.repository === repository.toString() && session.startedBy === client;
}
