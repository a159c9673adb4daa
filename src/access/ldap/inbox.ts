import { MalformedMessage, maxHeader, sizeOf, TooLong } from './ber.js';

/** Longest message, and most bytes of a connection: groups of a user are some kilobytes. */
const maxBytes = 1024 * 1024;
/** Longest message that may still be the entry of somebody in many groups. */
const maxEntry = 16 * maxBytes;

/** Takes messages from bytes that come in pieces of any size. */
export class Inbox {
  private pieces: Buffer[] = [];
  private length = 0;
  private total = 0;
  /** Bytes without which looking again is pointless. */
  private wanted = 2;

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** @throws MalformedMessage when the connection has brought more than anybody needs */
  add(piece: Buffer): void {
    this.total += piece.length;
    if (this.total > maxBytes) throw new MalformedMessage(`more than ${maxBytes} bytes`);
    this.pieces.push(piece);
    this.length += piece.length;
  }

  /** The next whole message; undefined until there is one. @throws MalformedMessage */
  take(): Buffer | undefined {
    while (this.length >= this.wanted) {
      const bytes = this.pieces.length === 1 && this.pieces[0] ? this.pieces[0] : Buffer.concat(this.pieces);
      this.pieces = [bytes];
      const size = sizeOf(bytes);
      if (size !== undefined && size > maxBytes) {
        const reason = `a message of ${size} bytes`;
        throw size > maxEntry ? new MalformedMessage(reason) : new TooLong(reason);
      }
      if (size !== undefined && size <= bytes.length) {
        this.pieces = [bytes.subarray(size)];
        this.length -= size;
        this.wanted = 2;
        return bytes.subarray(0, size);
      }
      this.wanted = size ?? Math.min(bytes.length + 1, maxHeader);
    }
    return undefined;
  }
}
