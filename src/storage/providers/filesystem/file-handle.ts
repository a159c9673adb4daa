import * as files from 'node:fs';
import type { Stats } from 'node:fs';

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void;
type Done = Callback<void>;

/**
 * An open file, with the methods of `FileHandle` in node:fs/promises that the provider needs. Each call of those allocates
 * an array for times and sizes, whatever it does, which made garbage collection the largest part of pushing small layers.
 */
export class OpenedFile {
  private calls = 0;
  private isClosing = false;
  private closed: Promise<void> | undefined;
  private whenIdle: (() => void) | undefined;

  constructor(private readonly fd: number) {}

  async read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    return { bytesRead: await this.call<number>((fd, done) => files.read(fd, buffer, offset, length, position, done)) };
  }

  /** @param position the place behind what was written last, unless given. */
  async write(
    buffer: Uint8Array,
    offset = 0,
    length = buffer.length - offset,
    position: number | null = null,
  ): Promise<{ readonly bytesWritten: number }> {
    const write = (fd: number, done: Callback<number>) => files.write(fd, buffer, offset, length, position, done);
    return { bytesWritten: await this.call(write) };
  }

  sync(): Promise<void> {
    return this.call((fd, done: Done) => files.fsync(fd, done));
  }

  datasync(): Promise<void> {
    return this.call((fd, done: Done) => files.fdatasync(fd, done));
  }

  stat(): Promise<Stats> {
    return this.call((fd, done: Callback<Stats>) => files.fstat(fd, done));
  }

  chmod(mode: number): Promise<void> {
    return this.call((fd, done: Done) => files.fchmod(fd, mode, done));
  }

  truncate(length: number): Promise<void> {
    return this.call((fd, done: Done) => files.ftruncate(fd, length, done));
  }

  /** Closes it after the calls that run: the system gives its number to the next file. Later calls fail. */
  close(): Promise<void> {
    this.isClosing = true;
    return (this.closed ??= this.closeWhenIdle());
  }

  private async closeWhenIdle(): Promise<void> {
    if (this.calls > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
    await settled((done: Done) => files.close(this.fd, done));
  }

  private call<T>(start: (fd: number, done: Callback<T>) => void): Promise<T> {
    if (this.isClosing) return Promise.reject(Object.assign(new Error('the file is closed'), { code: 'EBADF' }));
    return settled<T>((done) => {
      start(this.fd, (error, value) => {
        this.calls -= 1;
        if (this.calls === 0) this.whenIdle?.();
        done(error, value);
      });
      // Only a call that has begun calls back.
      this.calls += 1;
    });
  }
}

/** The result of a function with a callback, without an object for each call. */
export function settled<T>(start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    start((error, value) => {
      if (error) reject(error);
      else resolve(value);
    }),
  );
}
