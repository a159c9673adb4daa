import { IsOptional } from 'class-validator';
import { areCredentials, shapeOfCredentials } from './credentials/credential-entries.js';
import type { CredentialSettings } from './credentials/credential.settings.js';
import type { TagRule } from './tag-rule.settings.js';
import { parseDuration } from './values/duration.js';
import {
  AreMaps,
  AreRegistryHosts,
  HasNoColon,
  IsCount,
  IsDuration,
  IsFlag,
  IsRegistryHost,
  IsRepositoryPath,
  IsSecret,
  IsText,
  rule,
} from './validation/rules.js';
import { parseBoolean, parseInteger, Setting } from './validation/setting.decorator.js';
import { toSecret, type Secret } from './values/secret.js';

/** Default of `tag_ttl` in milliseconds. */
export const defaultTagTtl = 600_000;

const AreCredentials = () => rule('areCredentials', shapeOfCredentials, areCredentials);

/** One host of a registry and how to sign in to it. */
export class EndpointSettings {
  @Setting({ name: 'host', description: 'host of the registry, with an optional port' })
  @IsRegistryHost()
  host!: string;

  @Setting({
    name: 'path_prefix',
    description:
      'path below which this registry has its repositories, as a project of Harbor or a repository key of Artifactory; put before each repository name, unseen by clients. A path in host is the same',
  })
  @IsOptional()
  @IsRepositoryPath()
  pathPrefix?: string;

  @Setting({
    name: 'tls',
    default: 'true',
    parse: parseBoolean,
    description: 'connect with https; false means plain http',
  })
  @IsFlag()
  tls = true;

  @Setting({
    name: 'accept_invalid_certs',
    default: 'false',
    parse: parseBoolean,
    description: 'accept any certificate from this registry',
  })
  @IsFlag()
  acceptInvalidCerts = false;

  @Setting({
    name: 'ca_file',
    description: 'PEM file of private CAs to trust for this registry in addition to the public ones',
  })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  caFile?: string;

  /** The content of that file, once it has been read. */
  certificateAuthorities?: string;

  @Setting({ name: 'user_agent', description: 'User-Agent header of requests to this registry' })
  @IsOptional()
  @IsText('text without control characters')
  userAgent?: string;

  @Setting({ name: 'username', description: 'user to sign in with; requires a password' })
  @IsOptional()
  @IsText('text without control characters')
  @HasNoColon()
  username?: string;

  @Setting({ name: 'password', secret: true, description: 'password or access token of the user' })
  @IsOptional()
  @IsSecret()
  get password(): Secret | undefined {
    return this.secret;
  }
  set password(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  @Setting({
    name: 'password_file',
    description: 'file that contains the password, such as a mounted secret; read again when it changes',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  passwordFile?: string;

  @Setting({
    name: 'credentials',
    secret: true,
    description:
      'where credentials come from that change: a map with one [source](#credentials) and its options, or a list of such maps, each with repositories that it is for',
  })
  @AreCredentials()
  credentialSources: CredentialSettings[] = [];

  @Setting({
    name: 'token_realms',
    default: '[]',
    description:
      'additional hosts that may receive the credentials of this registry in exchange for a token, host or host:port; private addresses only at the given port, or else the default port',
  })
  @AreRegistryHosts()
  tokenRealms: string[] = [];

  @Setting({
    name: 'redirect_hosts',
    default: '[]',
    description:
      'additional hosts that this registry may redirect downloads to, at private addresses too, host or host:port; without a port, the default port',
  })
  @AreRegistryHosts()
  redirectHosts: string[] = [];

  private secret?: Secret | undefined;

  /** Whether requests to some repositories are signed in. */
  get takesCredentials(): boolean {
    return this.credentials !== undefined || this.credentialSources.length > 0;
  }

  /** The user and the password of the upstream file; undefined when it has none. */
  get credentials(): { readonly username: string; readonly password: Secret } | undefined {
    if (this.username === undefined || this.password === undefined) return undefined;
    return { username: this.username, password: this.password };
  }
}

/** One entry of the upstream file. Durations are in milliseconds. */
export class UpstreamSettings extends EndpointSettings {
  @Setting({ name: 'namespace', description: 'registry host as it appears in image references' })
  @IsRegistryHost()
  namespace!: string;

  @Setting({
    name: 'tag_ttl',
    alias: 'manifest_invalidation_time',
    default: '10m',
    parse: parseDuration,
    description: 'how long a cached tag is served before it is revalidated with the upstream',
  })
  @IsDuration()
  tagTtl = defaultTagTtl;

  @Setting({
    name: 'tags',
    default: '[]',
    description:
      'rules for certain tags in place of tag_ttl: maps with pattern, in which * stands for any characters, and ttl, which is immutable, always or a duration; the first whose pattern matches counts',
  })
  @AreMaps()
  tags: TagRule[] = [];

  @Setting({
    name: 'unused_content_ttl',
    alias: 'blob_invalidation_time',
    parse: parseDuration,
    description: 'how long unused content is kept; without it, content is only evicted to stay within max-size',
  })
  @IsOptional()
  @IsDuration()
  unusedContentTtl?: number;

  @Setting({
    name: 'stale_while_revalidate',
    default: '0s',
    parse: parseDuration,
    description:
      'how long after tag_ttl a cached tag is still served immediately while it is revalidated in the background',
  })
  @IsDuration()
  staleWhileRevalidate = 0;

  @Setting({
    name: 'max_stale',
    parse: parseDuration,
    description:
      'how long after tag_ttl a cached tag may be served while the upstream is unavailable; unlimited unless set',
  })
  @IsOptional()
  @IsDuration()
  maxStale?: number;

  @Setting({
    name: 'access_recheck_time',
    default: '1h',
    parse: parseDuration,
    description:
      'how long cached content that required credentials is served before the registry must confirm access again',
  })
  @IsDuration()
  accessRecheckTime = 3_600_000;

  @Setting({
    name: 'max_connections',
    default: '64',
    parse: parseInteger,
    description:
      'maximum concurrent connections to this registry; waiting requests are served round-robin by repository',
  })
  @IsCount(2, 1000)
  maxConnections = 64;

  @Setting({
    name: 'fallback_hosts',
    default: '[]',
    description:
      'hosts to try in this order while this one is unavailable or rate-limited: maps with the keys from host to redirect_hosts',
  })
  @AreMaps()
  fallbackHosts: EndpointSettings[] = [];
}
