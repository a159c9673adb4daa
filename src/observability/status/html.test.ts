import { describe, expect, it } from 'vitest';
import { html } from './html.js';

describe('html', () => {
  it('escapes text and attributes', () => {
    const hostile = `<script>&"'</script>`;
    const escaped = '&#60;script&#62;&#38;&#34;&#39;&#60;/script&#62;';
    expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(`<p title="${escaped}">${escaped}</p>`);
  });

  it('escapes in lists, and takes its own results as they are', () => {
    expect(html`${['<', html`<b>${'&'}</b>`, [1, undefined]]}`.text).toBe('&#60;<b>&#38;</b>1');
  });
});
