import { IsText } from './rules.js';
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
}

/** Content in memory, for tests only: it is not offered on the command line. */
export class MemorySettings {
  readonly provider = 'memory';
}

export type StorageSettings = FilesystemSettings | MemorySettings;
