import { afterEach, describe, expect, it } from 'vitest';
import { postponeDateFormats } from './date-formats.js';

const { DateTimeFormat } = Intl;

describe('postponeDateFormats', () => {
  afterEach(() => {
    Intl.DateTimeFormat = DateTimeFormat;
  });

  it('makes a format when it is first used, and not before', () => {
    let made = 0;
    Intl.DateTimeFormat = new Proxy(DateTimeFormat, {
      construct: (target, args: ConstructorParameters<typeof DateTimeFormat>) => {
        made += 1;
        return new target(...args);
      },
    });
    postponeDateFormats();
    const format = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', dateStyle: 'short' });
    expect(made).toBe(0);
    expect([format.format(0), format.format(86_400_000)]).toEqual(['01/01/1970', '02/01/1970']);
    expect(made).toBe(1);
  });

  it('gives formats that do all that others do', () => {
    postponeDateFormats();
    const format = new Intl.DateTimeFormat('de', { timeZone: 'UTC' });
    expect(format).toBeInstanceOf(DateTimeFormat);
    expect(format.resolvedOptions()).toEqual(new DateTimeFormat('de', { timeZone: 'UTC' }).resolvedOptions());
    expect(format.formatToParts(0).map(({ type }) => type)).toContain('year');
    expect(Intl.DateTimeFormat.supportedLocalesOf('de')).toEqual(['de']);
  });

  it('refuses what they refuse', () => {
    postponeDateFormats();
    expect(() => new Intl.DateTimeFormat('de', { timeZone: 'Nowhere' }).format(0)).toThrow(RangeError);
  });
});
