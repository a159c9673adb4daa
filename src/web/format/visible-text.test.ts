import { expect, it } from 'vitest';
import { visibleText } from './visible-text.js';

it.each([
  ['plain text, größer, 你好 🚀\n\tnext', 'plain text, größer, 你好 🚀\n\tnext'],
  ['a\u202eb', 'a⟨U+202E⟩b'],
  ['\u2066\u2069\u200f\u061c', '⟨U+2066⟩⟨U+2069⟩⟨U+200F⟩⟨U+061C⟩'],
  ['\0\x1b[31m\r\x7f\x85', '⟨U+0000⟩⟨U+001B⟩[31m⟨U+000D⟩⟨U+007F⟩⟨U+0085⟩'],
  ['\ufeff\u00ad\u200b\u{e0041}', '⟨U+FEFF⟩⟨U+00AD⟩⟨U+200B⟩⟨U+E0041⟩'],
  ['\ud800', '⟨U+D800⟩'],
  ['<b>&"', '<b>&"'],
])('%j is shown as %j', (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});
