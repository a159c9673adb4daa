/**
 * Whether a registry refuses the credentials that are configured for it, or their absence. Registries refuse wrong
 * credentials, and repositories without permission, with the same statuses: where a refusal may be about either, only
 * those of two repositories in a row count.
 */
export class CredentialState {
  private reason: string | undefined;
  private denied: string | undefined;
  private wasAccepted = false;

  /** Why they are refused; undefined while they are not known to be. Names hosts and statuses only. */
  get refusal(): string | undefined {
    return this.reason;
  }

  /** 401 to the credentials themselves: about the repository only if the same credentials have been accepted before. */
  noteRefused(repository: string, reason: string): void {
    if (this.wasAccepted) this.noteDenied(repository, reason);
    else this.reason = reason;
  }

  /** A refusal that may be about the repository. */
  noteDenied(repository: string, reason: string): void {
    if (this.denied !== undefined && this.denied !== repository) this.reason ??= reason;
    this.denied = repository;
  }

  noteAccepted(): void {
    this.wasAccepted = true;
    this.reason = undefined;
    this.denied = undefined;
  }
}
