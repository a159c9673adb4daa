import type { RepositoryRef } from '../../oci/repository.js';

/** Who looks at what is stored. Decided at the edge, from the identity and the rules. */
export interface Viewer {
  /** By the rules; true for everything without an access file. */
  readonly maySee: (repository: RepositoryRef) => boolean;
  /**
   * Whether rules have decided who may see what was received with credentials. Without an access file everybody reads
   * the page, and what is private is absent.
   */
  readonly seesPrivate: boolean;
  /** Whether it administers the server, and also sees what cannot be pulled at the moment. */
  readonly isAdministrator: boolean;
}
