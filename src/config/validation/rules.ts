import { ValidateBy, type ValidationOptions } from 'class-validator';
import { nameComponent, Namespace } from '../../oci/namespace.js';
import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import { maxNameLength } from '../../oci/repository.js';
import { Secret } from '../values/secret.js';
import { parseListenAddress } from '../values/listen-address.js';
import { parseNetwork } from '../values/networks.js';
import { parseOrigin } from '../values/origin.js';

/** A rule whose message completes a sentence that begins with the path of the setting. */
export const rule = (
  name: string,
  message: string,
  isValid: (value: unknown) => boolean,
  options: ValidationOptions = {},
) => ValidateBy({ name, validator: { validate: isValid, defaultMessage: () => message } }, options);

/** Rule messages complete a sentence that begins with the path of the setting. */
export const IsDuration = () =>
  rule(
    'isDuration',
    'must be a duration such as 30s, 1h 30m or 14d',
    (value) => typeof value === 'number' && Number.isFinite(value),
  );

export const IsSize = () =>
  rule('isSize', 'must be a size such as 32MiB or 1GB', (value) => Number.isSafeInteger(value));

export const IsFlag = () => rule('isFlag', 'must be true, false, 1 or 0', (value) => typeof value === 'boolean');

export const IsText = (what: string, maxLength = 1024) =>
  rule('isText', `must be ${what}`, (value) => isText(value, maxLength));

/** The user of basic authentication ends at the first colon (RFC 7617 §2). */
export const HasNoColon = () =>
  rule(
    'hasNoColon',
    'must not have a colon, which ends the user in basic authentication',
    (value) => typeof value !== 'string' || !value.includes(':'),
  );

export const IsSecret = (what = 'text without control characters', maxLength = 65_536, minLength = 1) =>
  rule(
    'isSecret',
    `must be ${what}`,
    (value) => value instanceof Secret && isText(value.reveal(), maxLength) && value.reveal().length >= minLength,
  );

export const ArePatterns = () =>
  rule(
    'arePatterns',
    'must be comma-separated host names, *.suffixes or *',
    (value) =>
      Array.isArray(value) &&
      value.every((pattern) => pattern === '*' || isRegistryHost(String(pattern).replace(/^\*\.(?=.)/, 'x.'))),
  );

export const IsBucketName = () =>
  rule(
    'isBucketName',
    'must be a bucket name: 3 to 63 characters of a-z, 0-9, dot and dash',
    (value) => typeof value === 'string' && /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value),
  );

/** For settings that are only valid as a pair. @param property the other property. @param setting its name in messages */
export const GoesWith = (property: string, setting: string) =>
  ValidateBy({
    name: 'goesWith',
    validator: {
      validate: (_, half) => half !== undefined && Reflect.get(half.object, property) !== undefined,
      defaultMessage: () => `must be set together with ${setting}`,
    },
  });

export const IsKeyPrefix = () =>
  rule(
    'isKeyPrefix',
    'must be path segments of a-z, 0-9, dot, dash and underscore, joined by slashes',
    (value) =>
      typeof value === 'string' &&
      value.length <= 256 &&
      value.split('/').every((part) => /^[a-z0-9._-]+$/.test(part) && part !== '.' && part !== '..'),
  );

export const IsHttpUrl = () =>
  rule('isHttpUrl', 'must be an http or https URL without credentials, query or fragment', isHttpUrl);

export const IsOrigin = () =>
  rule(
    'isOrigin',
    'must be an http or https URL of a host and a port, without credentials, path, query and fragment',
    (value) => typeof value === 'string' && parseOrigin(value) !== undefined,
  );

export const AreNetworks = () =>
  rule(
    'areNetworks',
    'must be networks separated by commas, such as 10.0.0.0/8 or fd00::/8',
    (value) => Array.isArray(value) && value.every((network) => parseNetwork(String(network)) !== undefined),
  );

export const IsServerAddress = () =>
  rule(
    'isServerAddress',
    'must be an http or https URL without credentials, query or fragment, or unix:/path',
    (value) => isHttpUrl(value) || (typeof value === 'string' && /^unix:./.test(value)),
  );

export const ArePairs = () =>
  rule(
    'arePairs',
    'must be comma-separated name=value pairs',
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  );

/** A number of bytes, or a fraction of the disk: `{ share: 0.8 }`. */
export const IsQuota = () =>
  rule('isQuota', 'must be a size such as 50GiB, or a percentage of the disk such as 80%', (value) => {
    if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0;
    const share: unknown = typeof value === 'object' && value !== null && 'share' in value ? value.share : undefined;
    return typeof share === 'number' && share > 0 && share <= 1;
  });

export const IsUmask = () =>
  rule(
    'isUmask',
    'must be an octal number from 000 to 077',
    (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0o077,
  );

/** @param or an additional valid value, for the message. */
export const IsCount = (least: number, most: number, or?: string) =>
  rule(
    'isCount',
    `must be a whole number from ${least} to ${most}${or === undefined ? '' : `, ${or}`}`,
    (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  );

export const IsTagPattern = () =>
  rule(
    'isTagPattern',
    'must be a tag in which * stands for any characters, in quotes where YAML would read a number',
    isTagPattern,
  );

export const AreTagPatterns = () =>
  rule(
    'areTagPatterns',
    'must be a list of tags in which * stands for any characters',
    (value) => Array.isArray(value) && value.every(isTagPattern),
  );

/** A pattern of names within a namespace, without placeholders. */
export const IsPatternOfNames = () =>
  rule(
    'isPatternOfNames',
    'must be a pattern of names within the namespace, such as team/**, in which * stands for characters and ** for components',
    isPatternOfNames,
  );

export const IsTagTtl = () =>
  rule('isTagTtl', 'must be immutable, always, or a duration such as 10m', (value) => typeof value === 'number');

export const IsOneOf = (values: readonly string[]) =>
  rule(
    'isOneOf',
    `must be one of ${values.join(', ')}`,
    (value) => typeof value === 'string' && values.includes(value),
  );

export const IsRegistryHost = () =>
  rule(
    'isRegistryHost',
    'must be a host name or address with an optional port, without scheme or path',
    isRegistryHost,
  );

export const IsRepositoryPath = () =>
  rule(
    'isRepositoryPath',
    'must be components of a repository name joined by slashes: a-z and 0-9, separated by a dot, an underscore or dashes',
    (value) =>
      typeof value === 'string' &&
      value.length <= maxNameLength &&
      value.split('/').every((part) => nameComponent.test(part)),
  );

export const AreRegistryHosts = () =>
  rule(
    'areRegistryHosts',
    'must be a list of host names with optional ports',
    (value) => Array.isArray(value) && value.every(isRegistryHost),
  );

export const AreMaps = () =>
  rule(
    'areMaps',
    'must be a list of maps',
    (value) =>
      Array.isArray(value) &&
      value.every((entry) => typeof entry === 'object' && entry !== null && !Array.isArray(entry)),
  );

export const IsMap = () =>
  rule('isMap', 'must be a map', (value) => typeof value === 'object' && value !== null && !Array.isArray(value));

/** @param none a keyword that disables listening. */
export const IsListenAddress = (none?: string) =>
  rule(
    'isListenAddress',
    `must be host:port, with a port up to 65535, or unix:/path${none === undefined ? '' : `, or ${none}`}`,
    (value) => typeof value === 'string' && (value === none || parseListenAddress(value) !== undefined),
  );

export function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value !== '' && value.length <= maxLength && !hasControl(value);
}

function isTagPattern(value: unknown): boolean {
  return typeof value === 'string' && /^[a-zA-Z0-9_.*-]{1,128}$/.test(value);
}

/** Whether it is a host name or an address, with an optional port. */
export function isRegistryHost(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    Namespace.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** Control characters would split headers and log lines (RFC 9110 §5.5). */
function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(text);
}

function isHttpUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^https?:\/\//.test(value) || !URL.canParse(value)) return false;
  const { username, password, search, hash } = new URL(value);
  return username === '' && password === '' && search === '' && hash === '';
}

/** Whether it is a pattern of names within a namespace, without placeholders. */
export function isPatternOfNames(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  try {
    const pattern = RepositoryPattern.parse(`namespace/${value}`);
    return pattern.placeholders.length === 0 && !pattern.isUnmatchable;
  } catch {
    return false;
  }
}
