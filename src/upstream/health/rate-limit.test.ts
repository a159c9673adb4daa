import { describe, expect, it } from 'vitest';
import { parseRateLimit } from './rate-limit.js';

const limits = (limit?: string | string[], remaining?: string | string[]) =>
  parseRateLimit({
    ...(limit !== undefined && { 'ratelimit-limit': limit }),
    ...(remaining !== undefined && { 'ratelimit-remaining': remaining }),
  });

describe('the pull limit in a response', () => {
  it('is parsed in the form that Docker Hub sends', () => {
    expect(limits('100;w=21600', '76;w=21600')).toEqual({ limit: 100, remaining: 76, window: 21_600 });
    expect(limits('200;w=21600', '0;w=21600')).toEqual({ limit: 200, remaining: 0, window: 21_600 });
  });

  it('may contain spaces, and no window', () => {
    expect(limits('100 ; w=60', '5')).toEqual({ limit: 100, remaining: 5, window: 60 });
    expect(limits('100', '5')).toEqual({ limit: 100, remaining: 5, window: 0 });
  });

  it('is undefined when one header is missing or malformed', () => {
    for (const [limit, remaining] of [
      [undefined, undefined],
      ['100;w=21600', undefined],
      [undefined, '76;w=21600'],
      ['100;w=21600', 'many'],
      ['-1;w=21600', '0;w=21600'],
      ['', ''],
      [['100;w=21600', '200;w=21600'], '76;w=21600'],
    ] as const) {
      expect(limits(limit as string, remaining)).toBeUndefined();
    }
  });

  it('is bounded, whatever the response says', () => {
    const { limit, window } = limits('9'.repeat(400), '0') ?? {};
    expect(limit).toBeLessThan(1e9);
    expect(window).toBe(0);
  });
});
