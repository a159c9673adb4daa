import { ProgressLine, sizeText } from '../progress.line.js';
import type { Document } from './documents.js';
import { reasonOf, RefusedMove } from './move-error.js';

type Outcome = 'taken' | 'skipped' | 'refused' | 'failed';

/** What is told of a command while it runs and when it ends. */
export class MoveReport {
  private readonly images = { taken: 0, skipped: 0, refused: 0, failed: 0 };
  private readonly blobs = { taken: 0, skipped: 0 };
  private bytes = 0;
  private referrers = 0;
  private readonly progress = new ProgressLine();
  private readonly expected = { blobs: 0, bytes: 0 };
  private readonly passed = { blobs: 0, bytes: 0 };

  constructor(private readonly isJson: boolean) {}

  /** Whether everything was taken, or was there. */
  get isWhole(): boolean {
    return this.images.refused + this.images.failed === 0;
  }

  get count(): number {
    return Object.values(this.images).reduce((sum, each) => sum + each, 0);
  }

  expect({ blobs }: Document): void {
    this.expected.blobs += blobs.length;
    this.expected.bytes += blobs.reduce((sum, { size }) => sum + (size ?? 0), 0);
  }

  advance(bytes: number, name: string): void {
    this.passed.bytes += bytes;
    this.show(name);
  }

  takeBlob(size: number, name: string): void {
    this.blobs.taken += 1;
    this.bytes += size;
    this.passed.blobs += 1;
    this.show(name);
  }

  skipBlob(size: number, name: string): void {
    this.blobs.skipped += 1;
    this.passed.blobs += 1;
    this.advance(size, name);
  }

  countReferrer(): void {
    this.referrers += 1;
  }

  /** An image is there now, or was there. */
  settle(name: string, outcome: 'taken' | 'skipped', { digest, foreign }: Document): void {
    const left = foreign > 0 ? `, without ${foreign} layers that are not distributed` : '';
    const what = outcome === 'taken' ? digest.toString() : 'already there';
    this.tell(name, outcome, `${what}${left}`, { digest: digest.toString() });
  }

  fail(name: string, error: unknown): void {
    const reason = reasonOf(error);
    this.tell(name, error instanceof RefusedMove ? 'refused' : 'failed', reason, { reason });
  }

  /** Tells something that is not about one image. */
  note(text: string): void {
    if (!this.isJson) this.progress.print(text);
  }

  /** Prints the sums. */
  end(): void {
    this.progress.end();
    if (this.count === 0) return;
    const { images, blobs, bytes, referrers } = this;
    if (this.isJson) {
      process.stdout.write(`${JSON.stringify({ images, referrers, blobs, bytes })}\n`);
      return;
    }
    const counts = Object.entries(images).filter(([, count]) => count > 0);
    const outcomes = counts.map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    const also = referrers === 0 ? '' : `, ${referrers} referrers`;
    this.progress.print(
      `${outcomes}${also}; ${blobs.taken} blobs with ${sizeText(bytes)} moved, ${blobs.skipped} already there`,
    );
  }

  private tell(name: string, outcome: Outcome, text: string, fields: Readonly<Record<string, string>>): void {
    this.images[outcome] += 1;
    if (this.isJson) process.stdout.write(`${JSON.stringify({ image: name, outcome, ...fields })}\n`);
    else this.progress.print(`${outcome.padEnd(7)}  ${name}  ${text}`);
  }

  private show(name: string): void {
    const { expected, passed } = this;
    const sizes = `${sizeText(passed.bytes)} of ${sizeText(expected.bytes)}, ${passed.blobs} of ${expected.blobs} blobs`;
    this.progress.update(expected.bytes === 0 ? 0 : Math.min(passed.bytes / expected.bytes, 1), `${name}  ${sizes}`);
  }
}
