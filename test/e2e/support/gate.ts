/** Something to wait for that a test opens, at its end at the latest. */
export class Gate implements Disposable {
  private release: (() => void) | undefined;
  readonly opened = new Promise<void>((resolve) => (this.release = resolve));

  open(): void {
    this.release?.();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}
