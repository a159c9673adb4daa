/**
 * What SIGHUP does: files are read again. It never ends the process, not even before there is anything to read again; a
 * request that comes too early is met as soon as there is.
 */
export class Reload {
  private action: (() => void) | undefined;
  private isWanted = false;

  /** Listens to the signal from now on. */
  static onSignal(): Reload {
    const reload = new Reload();
    process.on('SIGHUP', () => reload.request());
    return reload;
  }

  /** Ignores the signal from now on; the supervisor has `request` called. */
  static onMessage(): Reload {
    process.on('SIGHUP', () => undefined);
    return new Reload();
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
