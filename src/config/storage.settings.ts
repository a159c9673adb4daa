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

/** Options of `s3`. */
export class S3Settings {
  readonly provider = 's3';

  @Setting({
    name: 'bucket',
    env: 'S3_BUCKET',
    value: 'name',
    description: 'bucket to keep content in; it has to exist',
  })
  @IsBucketName()
  bucket!: string;

  @Setting({
    name: 'host',
    env: 'S3_HOST',
    value: 'url',
    parse: (text) => (/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`),
    description: 'endpoint of a server that is not Amazon, as http://minio:9000; https when only a host is given',
  })
  @IsOptional()
  @IsHttpUrl()
  host?: string;

  @Setting({
    name: 'region',
    env: 'S3_REGION',
    value: 'name',
    default: 'us-east-1',
    description: 'region of the bucket',
  })
  @IsText('the name of a region', 64)
  region = 'us-east-1';

  @Setting({
    name: 'access-key',
    env: 'S3_ACCESS_KEY',
    value: 'id',
    description: "access key; without one, the usual places are looked at: AWS variables, profiles, the machine's role",
  })
  @IsOptional()
  @IsText('an access key', 256)
  @GoesWith('secretKey', '--secret-key')
  accessKey?: string;

  @Setting({ name: 'secret-key', env: 'S3_SECRET_KEY', value: 'secret', secret: true, description: 'its secret' })
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
    description: 'what every key begins with, without slashes at its ends; several mirrors can share a bucket',
  })
  @IsOptional()
  @IsKeyPrefix()
  prefix?: string;

  @Setting({
    name: 'path-style',
    env: 'S3_PATH_STYLE',
    parse: parseBoolean,
    description:
      'put the name of the bucket into the path and not into the host name; so it is with --host when not given',
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
      'answer stored blobs with a redirect to a signed URL of the bucket, which clients must be able to reach',
  })
  @IsFlag()
  redirect = false;
}

/** Options of `custom`: a provider written elsewhere. */
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
    description: 'option for that provider, any number of times; separated by commas in the variable',
  })
  @ArePairs()
  option: Readonly<Record<string, Secret>> = {};
}

/** Content in memory, for tests only: it is not offered on the command line. */
export class MemorySettings {
  readonly provider = 'memory';
}

export type StorageSettings = FilesystemSettings | S3Settings | CustomSettings | MemorySettings;

/** The storages that the command line offers, each a sub-command. */
export const storageClasses = { filesystem: FilesystemSettings, s3: S3Settings, custom: CustomSettings } as const;
export type StorageName = keyof typeof storageClasses;
