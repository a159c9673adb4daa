import { IsOptional } from 'class-validator';
import {
  ArePairs,
  GoesWith,
  IsBucketName,
  IsFlag,
  IsHttpUrl,
  IsKeyPrefix,
  IsSecret,
  IsText,
  IsUmask,
} from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, parseList, parsePairs, Setting } from './validation/setting.decorator.js';

/** Options of `filesystem`. */
export class FilesystemSettings {
  readonly provider = 'filesystem';

  @Setting({
    name: 'root',
    env: 'FILESYSTEM_ROOT',
    value: 'dir',
    default: './data',
    description: 'directory to store content in; created when absent',
  })
  @IsText('the path of a directory', 4096)
  root = './data';

  @Setting({
    name: 'umask',
    env: 'FILESYSTEM_UMASK',
    value: 'octal',
    default: '077',
    parse: parseUmask,
    description:
      'permissions to withhold from stored files and directories, whatever the umask of the process: 077 restricts access to the owner, 007 to the group',
  })
  @IsUmask()
  umask = 0o077;
}

/** The owner always keeps its permissions, or the server could not read its own files. */
function parseUmask(text: string): number | undefined {
  return /^0?[0-7]{2,3}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Options of `s3`. */
export class S3Settings {
  readonly provider = 's3';

  @Setting({
    name: 'bucket',
    env: 'S3_BUCKET',
    value: 'name',
    description: 'bucket to store content in; must exist',
  })
  @IsBucketName()
  bucket!: string;

  @Setting({
    name: 'host',
    env: 'S3_HOST',
    value: 'url',
    parse: (text) => (/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`),
    description:
      'endpoint of an S3-compatible server, such as http://minio:9000; https unless a scheme is given; without it, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile counts, or else Amazon S3',
  })
  @IsOptional()
  @IsHttpUrl()
  host?: string;

  @Setting({
    name: 'region',
    env: 'S3_REGION',
    value: 'name',
    default: 'us-east-1',
    description: 'region of the bucket; without it, AWS_REGION, AWS_DEFAULT_REGION or the profile counts',
  })
  @IsText('the name of a region', 64)
  region = 'us-east-1';

  @Setting({
    name: 'access-key',
    env: 'S3_ACCESS_KEY',
    value: 'id',
    description: 'access key; without one, the standard AWS sources are used: variables, profiles, instance role',
  })
  @IsOptional()
  @IsText('an access key', 256)
  @GoesWith('secretKey', '--secret-key')
  accessKey?: string;

  @Setting({
    name: 'secret-key',
    env: 'S3_SECRET_KEY',
    value: 'secret',
    secret: true,
    description: 'secret of the access key',
  })
  @IsOptional()
  @IsSecret()
  @GoesWith('accessKey', '--access-key')
  get secretKey(): Secret | undefined {
    return this.secret;
  }
  set secretKey(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  private secret?: Secret | undefined;

  @Setting({
    name: 'prefix',
    env: 'S3_PREFIX',
    value: 'path',
    description: 'prefix of every key, without leading or trailing slashes; lets several mirrors share a bucket',
  })
  @IsOptional()
  @IsKeyPrefix()
  prefix?: string;

  @Setting({
    name: 'path-style',
    env: 'S3_PATH_STYLE',
    parse: parseBoolean,
    description: 'put the bucket name in the path instead of the host name; the default with --host',
  })
  @IsOptional()
  @IsFlag()
  pathStyle?: boolean;

  @Setting({
    name: 's3-redirect',
    env: 'S3_REDIRECT',
    default: 'false',
    parse: parseBoolean,
    description:
      'redirect requests for stored blobs to a presigned URL of the bucket, which clients must be able to reach',
  })
  @IsFlag()
  redirect = false;

  /** Where values come from that the environment of the AWS tools gave, by the names of their settings. */
  sources: Readonly<Record<string, string>> = {};
}

/** Options of `custom`, an external provider. */
export class CustomSettings {
  readonly provider = 'custom';

  @Setting({
    name: 'module',
    env: 'CUSTOM_MODULE',
    value: 'package',
    description: 'package or path of the module whose default export is the storage provider',
  })
  @IsText('a package or a path', 4096)
  module!: string;

  @Setting({
    name: 'option',
    env: 'CUSTOM_OPTIONS',
    value: 'k=v',
    parse: (text) => parsePairs(parseList(text)),
    parseEach: parsePairs,
    secret: true,
    description: 'option for that provider, repeatable; comma-separated in the variable',
  })
  @ArePairs()
  option: Readonly<Record<string, Secret>> = {};
}

/** In-memory storage for tests; not available on the command line. */
export class MemorySettings {
  readonly provider = 'memory';
}

export type StorageSettings = FilesystemSettings | S3Settings | CustomSettings | MemorySettings;

/** The storage subcommands. */
export const storageClasses = { filesystem: FilesystemSettings, s3: S3Settings, custom: CustomSettings } as const;
export type StorageName = keyof typeof storageClasses;
