const barWidth = 24;

/** A progress line at the bottom of the terminal, with permanent lines above it. */
export class ProgressLine {
  private shown = '';

  /** @param terminal where the line is drawn, if it is a TTY. */
  constructor(private readonly terminal: NodeJS.WriteStream = process.stderr) {}

  /** @param fraction progress from 0 to 1; undefined when unknown. */
  update(fraction: number | undefined, text: string): void {
    if (!this.terminal.isTTY) return;
    const filled = Math.round(Math.min(Math.max(fraction ?? 0, 0), 1) * barWidth);
    const percent = fraction === undefined ? '' : `${String(Math.floor(fraction * 100)).padStart(3)}% `;
    const bar = fraction === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] `;
    // A wrapped line could not be erased.
    this.draw(`${bar}${percent}${printable(text)}`.slice(0, Math.max((this.terminal.columns || 80) - 1, 1)));
  }

  /** Prints a permanent line. */
  print(text: string): void {
    const { shown } = this;
    this.draw('');
    process.stdout.write(`${printable(text)}\n`);
    this.draw(shown);
  }

  /** Erases the progress line. */
  end(): void {
    this.draw('');
  }

  private draw(text: string): void {
    if (text === this.shown) return;
    this.shown = text;
    this.terminal.write(`\r\u001b[K${text}`);
  }
}

/** Replaces control characters, because names are untrusted and could control the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Formats bytes as `1.5 MiB`; below 1000 as bytes. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}
