import { describe, expect, it } from 'vitest';
import { prefersHtml } from './preferred-type.js';

describe('who gets the page', () => {
  it.each([
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'text/html',
    'TEXT/HTML; charset=utf-8',
    'text/html;q=0.5, application/json;q=0.4',
    'application/xhtml+xml',
  ])('does: %s', (accept) => expect(prefersHtml(accept)).toBe(true));

  it.each([
    undefined,
    '',
    '*/*',
    'text/*',
    'text/plain',
    'application/json, text/html;q=0.9',
    'text/html;q=0',
    'text/html;q=nonsense',
    'text/html;q=2',
    `${'x'.repeat(2000)},text/html`,
  ])('does not: %s', (accept) => expect(prefersHtml(accept)).toBe(false));
});
