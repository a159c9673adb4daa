import { constants } from 'node:fs';
import { nodeFileSystem, type FileSystem } from '../../../src/storage/providers/filesystem/file-system.js';

type Kind = 'space' | 'any';
type Call = (...args: unknown[]) => Promise<unknown>;

/** A file system whose calls fail as planned. */
export class FailingDisk {
  /** Calls that need space, and all calls, since they were last counted from 0. */
  readonly calls = { space: 0, any: 0 };
  /** The code with which a call fails; undefined lets it be. */
  fails: (kind: Kind, call: number) => string | undefined = () => undefined;
  /** Failures since `plan`. */
  failed = 0;

  readonly files: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      const creates = typeof flags === 'number' && (flags & constants.O_CREAT) !== 0;
      this.count(creates, `open ${path}`);
      const handle = await nodeFileSystem.open(path, flags, mode);
      for (const name of ['write', 'sync', 'read', 'stat'] as const) {
        const call = (handle[name] as Call).bind(handle);
        const counted: Call = async (...args) => {
          this.count(name === 'write' || name === 'sync', name);
          return call(...args);
        };
        Object.assign(handle, { [name]: counted });
      }
      return handle;
    },
    rename: this.counted('rename', true),
    link: this.counted('link', true),
    mkdir: this.counted('mkdir', true),
    unlink: this.counted('unlink', false),
    lstat: this.counted('lstat', false),
    opendir: this.counted('opendir', false),
    lutimes: this.counted('lutimes', false),
  };

  /** Begins to count anew. */
  plan(fails: FailingDisk['fails']): void {
    Object.assign(this.calls, { space: 0, any: 0 });
    this.failed = 0;
    this.fails = fails;
  }

  repair(): void {
    this.fails = () => undefined;
  }

  private counted<Name extends keyof FileSystem>(name: Name, needsSpace: boolean): FileSystem[Name] {
    const call = nodeFileSystem[name] as unknown as Call;
    const wrapped: Call = async (...args) => {
      this.count(needsSpace, name);
      return call(...args);
    };
    return wrapped as unknown as FileSystem[Name];
  }

  private count(needsSpace: boolean, what: string): void {
    this.calls.any += 1;
    if (needsSpace) this.calls.space += 1;
    const code = (needsSpace && this.fails('space', this.calls.space)) || this.fails('any', this.calls.any);
    if (!code) return;
    this.failed += 1;
    throw Object.assign(new Error(`${what}: planned failure`), { code });
  }
}
