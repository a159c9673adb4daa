/** Reads up to `length` bytes at `position` into the buffer and returns how many; 0 at the end. */
export type PositionedRead = (buffer: Buffer, length: number, position: number) => Promise<number>;
