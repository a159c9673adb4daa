/** A deadline that a stalled event loop does not trigger too early: events that are already waiting are handled first. */
export class Deadline {
  private timer: NodeJS.Timeout | undefined;
  private check: NodeJS.Immediate | undefined;

  /** @param time in milliseconds. */
  constructor(
    private readonly time: number,
    private readonly onExpiry: () => void,
  ) {
    this.restart();
  }

  restart(): void {
    this.end();
    this.timer = setTimeout(() => {
      this.check = setImmediate(this.onExpiry);
    }, this.time);
  }

  end(): void {
    clearTimeout(this.timer);
    clearImmediate(this.check);
  }
}
