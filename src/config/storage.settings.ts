import { IsText, IsUmask } from './rules.js';
import { Setting } from './setting.decorator.js';

/** Options of `filesystem`. */
export class FilesystemSettings {
  readonly provider = 'filesystem';

  @Setting({
    name: 'root',
    env: 'FILESYSTEM_ROOT',
    value: 'folder',
    default: './data',
    description: 'folder to keep content in; made when absent',
  })
  @IsText('the path of a folder', 4096)
  root = './data';

  @Setting({
    name: 'umask',
    env: 'FILESYSTEM_UMASK',
    value: 'octal',
    default: '077',
    parse: parseUmask,
    description: 'permissions that files and folders of the store do not get: 077 leaves them to their owner',
  })
  @IsUmask()
  umask = 0o077;
}

/** Owners keep their own permissions, or the store could not be read. */
function parseUmask(text: string): number | undefined {
  return /^0?[0-7]{2,3}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Content in memory, for tests only: it is not offered on the command line. */
export class MemorySettings {
  readonly provider = 'memory';
}

export type StorageSettings = FilesystemSettings | MemorySettings;
