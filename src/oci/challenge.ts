/** A challenge of a WWW-Authenticate header; scheme and parameter names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const maxHeaderLength = 8192;
const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const token68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;

/**
 * Parses all challenges of all WWW-Authenticate headers. One header may have several (RFC 9110 §11.6.1; Forgejo sends
 * Bearer and Basic in one). Parsing a header stops at the first error and keeps what came before. Linear time.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap((header) => [...readHeader(header.slice(0, maxHeaderLength))]);
}

function* readHeader(text: string): Generator<Challenge> {
  const reader = new Reader(text);
  while (reader.skipSeparators()) {
    const scheme = reader.match(token);
    if (scheme === undefined) return;
    const parameters = new Map<string, string>();
    yield { scheme: scheme.toLowerCase(), parameters };
    if (!reader.skipSpaces()) continue;
    if (reader.match(token68) !== undefined) continue;
    while (readParameter(reader, parameters)) {
      if (!reader.skipSeparators()) return;
    }
  }
}

/** Reads `name=value`; leaves the position unchanged when the next word is the scheme of another challenge. */
function readParameter(reader: Reader, parameters: Map<string, string>): boolean {
  const start = reader.position;
  const name = reader.match(token);
  reader.skipSpaces();
  if (name === undefined || !reader.take('=')) {
    reader.position = start;
    return false;
  }
  reader.skipSpaces();
  const value = reader.quoted() ?? reader.match(token);
  if (value === undefined) return false;
  if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  return true;
}

class Reader {
  position = 0;

  constructor(private readonly text: string) {}

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }

  take(character: string): boolean {
    if (this.text[this.position] !== character) return false;
    this.position += 1;
    return true;
  }

  /** Returns whether there was at least one space. */
  skipSpaces(): boolean {
    return this.match(/[ \t]+/y) !== undefined;
  }

  /** Returns whether there is more text. */
  skipSeparators(): boolean {
    this.match(/[ \t,]+/y);
    return this.position < this.text.length;
  }

  quoted(): string | undefined {
    if (!this.take('"')) return undefined;
    let value = '';
    while (this.position < this.text.length) {
      const character = this.text[this.position++];
      if (character === '"') return value;
      value += character === '\\' ? (this.text[this.position++] ?? '') : (character ?? '');
    }
    return undefined;
  }
}
