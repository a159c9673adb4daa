/**
 * What SIGHUP does: files are read again. It never ends the process, not even before there is anything to read again; a
 * request that comes too early is met as soon as there is.
 */
export class Reload {
  private action: (() => void) | undefined;
  private isWanted = false;

  private isIgnored = false;
  private readonly listener = (): void => {
    if (!this.isIgnored) this.request();
  };

  /** Listens to the signal from now on. */
  constructor() {
    process.on('SIGHUP', this.listener);
  }

  /** Ignores the signal from now on; the supervisor has `request` called. */
  onMessage(): this {
    this.isIgnored = true;
    this.isWanted = false;
    return this;
  }

  /** For what is no server: the signal ends it, as any program. */
  dismiss(): void {
    process.off('SIGHUP', this.listener);
    if (this.isWanted) process.kill(process.pid, 'SIGHUP');
  }

  /** @param action reads the files again and logs what came of it; never throws. */
  perform(action: () => void): void {
    this.action = action;
    if (this.isWanted) action();
    this.isWanted = false;
  }

  request(): void {
    if (this.action) this.action();
    else this.isWanted = true;
  }
}
