import { languageOf, type Language } from './language.js';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
/** Seconds. */
const periods: readonly (readonly [length: number, unit: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** Numbers and dates as one language writes them; words and units are English, as the pages. Times are UTC, as in the log. */
export class Formats {
  private static readonly made = new Map<Language, Formats>();
  private readonly whole: Intl.NumberFormat;
  private readonly short: Intl.NumberFormat;
  private readonly percent: Intl.NumberFormat;
  private readonly minutes: Intl.DateTimeFormat;
  private readonly days: Intl.DateTimeFormat;

  private constructor(readonly language: Language) {
    this.whole = new Intl.NumberFormat(language);
    this.short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    this.percent = new Intl.NumberFormat(language, { style: 'percent' });
    const utc = { timeZone: 'UTC', year: 'numeric', month: 'short', day: 'numeric' } as const;
    this.minutes = new Intl.DateTimeFormat(language, { ...utc, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    this.days = new Intl.DateTimeFormat(language, utc);
  }

  /** @param header `Accept-Language` */
  static for(header: string | undefined): Formats {
    const language = languageOf(header);
    let formats = this.made.get(language);
    if (!formats) this.made.set(language, (formats = new Formats(language)));
    return formats;
  }

  count(value: number): string {
    return this.whole.format(value);
  }

  /** @param bytes @returns `1.5 MiB` */
  size(bytes: number): string {
    let [value, unit] = [bytes, 0];
    // What would be written as 1,024 is one of the next unit.
    while (Math.round(value) >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
    const number = value >= 100 ? this.whole.format(Math.round(value)) : this.short.format(value);
    return `${number} ${units[unit] ?? ''}`;
  }

  /** `97%`; 100 only for all, 0 only for none. */
  ratio(part: number, whole: number): string {
    if (whole === 0) return '–';
    const percent = Math.round((part / whole) * 100);
    const shown = percent === 100 && part < whole ? 99 : percent === 0 && part > 0 ? 1 : percent;
    return this.percent.format(shown / 100);
  }

  /** @param milliseconds @returns `3 d 4 h`: the two largest units */
  duration(milliseconds: number): string {
    let seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const parts: string[] = [];
    for (const [length, unit] of periods) {
      const count = Math.floor(seconds / length);
      seconds %= length;
      // Of the second unit only what follows the first directly.
      if (parts.length > 0 || count > 0) parts.push(count > 0 ? `${this.whole.format(count)} ${unit}` : '');
    }
    return parts.slice(0, 2).join(' ').trim() || '0 s';
  }

  /** @param at milliseconds since 1970 @returns date and minute */
  time(at: number): string {
    return `${this.minutes.format(at)} UTC`;
  }

  /** @param at milliseconds since 1970 @returns the date in UTC */
  date(at: number): string {
    return this.days.format(at);
  }
}
