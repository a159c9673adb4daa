import { IsOptional } from 'class-validator';
import type { TagRuleSettings } from './tag-rule.settings.js';
import { parseDuration } from './values/duration.js';
import {
  AreMaps,
  AreRegistryHosts,
  IsCount,
  IsDuration,
  IsFlag,
  IsRegistryHost,
  IsSecret,
  IsText,
} from './validation/rules.js';
import { parseBoolean, parseInteger, Setting } from './validation/setting.decorator.js';
import { toSecret, type Secret } from './values/secret.js';

/** How long a tag is trusted before the upstream is asked again, unless an upstream says otherwise. */
export const defaultTagFreshness = 600_000;

/** Where a registry answers, and what it may be told. */
export class EndpointSettings {
  @Setting({ name: 'host', description: 'host, with its port where it has one, that answers for this registry' })
  @IsRegistryHost()
  host!: string;

  @Setting({
    name: 'tls',
    default: 'true',
    parse: parseBoolean,
    description: 'connect by https; false means plain http',
  })
  @IsFlag()
  tls = true;

  @Setting({
    name: 'accept_invalid_certs',
    default: 'false',
    parse: parseBoolean,
    description: 'take any certificate of this registry',
  })
  @IsFlag()
  acceptInvalidCerts = false;

  @Setting({
    name: 'ca_file',
    description: 'PEM file of certificate authorities to trust for this registry besides the usual ones',
  })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  caFile?: string;

  @Setting({ name: 'user_agent', description: 'User-Agent header to send' })
  @IsOptional()
  @IsText('text without control characters')
  userAgent?: string;

  @Setting({ name: 'username', description: 'user to sign in with; needs a password' })
  @IsOptional()
  @IsText('text without control characters')
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

  @Setting({ name: 'password_file', description: 'file to read the password from, as secrets are mounted' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  passwordFile?: string;

  @Setting({
    name: 'token_realms',
    default: '[]',
    description:
      'further hosts that credentials of this registry may be sent to for a token, at one port or without it at any',
  })
  @AreRegistryHosts()
  tokenRealms: string[] = [];

  @Setting({
    name: 'redirect_hosts',
    default: '[]',
    description: 'further hosts, also at private addresses, that this registry may redirect downloads to',
  })
  @AreRegistryHosts()
  redirectHosts: string[] = [];

  private secret?: Secret | undefined;

  /** Both halves, or undefined for anonymous access. */
  get credentials(): { readonly username: string; readonly password: Secret } | undefined {
    if (this.username === undefined || this.password === undefined) return undefined;
    return { username: this.username, password: this.password };
  }
}

/** One entry of the upstream file. Durations are in milliseconds. */
export class UpstreamSettings extends EndpointSettings {
  @Setting({ name: 'namespace', description: 'registry as image references name it' })
  @IsRegistryHost()
  namespace!: string;

  @Setting({
    name: 'tag_ttl',
    alias: 'manifest_invalidation_time',
    default: '10m',
    parse: parseDuration,
    description: 'how long a tag is answered from the store before the upstream is asked whether it moved',
  })
  @IsDuration()
  tagTtl = defaultTagFreshness;

  @Setting({
    name: 'tags',
    default: '[]',
    description:
      'rules for certain tags in place of tag_ttl: maps with pattern, in which * stands for any characters, and ttl, which is immutable, always or a duration; the first whose pattern matches counts',
  })
  @AreMaps()
  tags: TagRuleSettings[] = [];

  @Setting({
    name: 'unused_content_ttl',
    alias: 'blob_invalidation_time',
    parse: parseDuration,
    description: 'how long content may be unused before it is removed; without it, only want of space removes content',
  })
  @IsOptional()
  @IsDuration()
  unusedContentTtl?: number;

  @Setting({
    name: 'stale_while_revalidate',
    default: '0s',
    parse: parseDuration,
    description: 'how long after that a tag is still answered at once, while the upstream is asked behind it',
  })
  @IsDuration()
  staleWhileRevalidate = 0;

  @Setting({
    name: 'max_stale',
    parse: parseDuration,
    description:
      'how long after its invalidation a tag may be answered from the store during an outage; no bound unless given',
  })
  @IsOptional()
  @IsDuration()
  maxStale?: number;

  @Setting({
    name: 'access_recheck_time',
    default: '1h',
    parse: parseDuration,
    description:
      'how long content that needed a password is served before the registry is asked whether it still may be',
  })
  @IsDuration()
  accessRecheckTime = 3_600_000;

  @Setting({
    name: 'max_connections',
    default: '64',
    parse: parseInteger,
    description: 'connections to this registry at one time; requests wait for one, in turn by repository',
  })
  @IsCount(2, 1000)
  maxConnections = 64;

  @Setting({
    name: 'fallback_hosts',
    default: '[]',
    description:
      'hosts to ask, in this order, while this one cannot answer or limits us: maps with the keys from host to redirect_hosts',
  })
  @AreMaps()
  fallbackHosts: EndpointSettings[] = [];
}
