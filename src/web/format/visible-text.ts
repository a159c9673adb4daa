/** Control and format characters, which show nothing or turn the text around them, and halves of characters. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\u3164\uffa0]/gu;

/**
 * Text that somebody else wrote, so that all of it can be seen: an instruction to write from right to left, for one, stands
 * as `⟨U+202E⟩`. Line breaks and tabs stay.
 */
export function visibleText(text: string): string {
  return text.replace(unseen, (character) =>
    character === '\n' || character === '\t' ? character : `⟨U+${codeOf(character)}⟩`,
  );
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
