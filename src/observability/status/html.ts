/** Text that is HTML already. */
export class Html {
  private constructor(readonly text: string) {}

  /** For `html`, and for text that is written in the source: nothing else is escaped. */
  static trusted(text: string): Html {
    return new Html(text);
  }
}

/** What may stand in a template: text is escaped, lists are joined, undefined is nothing. */
export type Piece = string | number | Html | undefined | readonly Piece[];

/** Builds HTML in which every interpolated text is escaped, for elements and for attributes in double quotes. */
export function html(template: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return Html.trusted(template.reduce((text, part, index) => text + render(pieces[index - 1]) + part));
}

function render(piece: Piece): string {
  if (piece === undefined) return '';
  if (piece instanceof Html) return piece.text;
  if (typeof piece === 'object') return piece.map(render).join('');
  return String(piece).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
