import { IsOptional } from 'class-validator';
import { AreMaps, AreNetworks, IsMap, IsOneOf, IsOrigin, IsText } from '../validation/rules.js';
import { parseList, Setting } from '../validation/setting.decorator.js';
import { AreGroups } from './validation.js';
import type { IssuerSettings } from './issuer.settings.js';
import type { ClientCertificateSettings } from './certificate.settings.js';
import type { LdapSettings } from './ldap.settings.js';
import type { LimitSettings } from './limit.settings.js';
import type { AccessRuleSettings } from './rule.settings.js';

/** The access file: who clients are, and what they may do. */
export class AccessSettings {
  @Setting({ name: 'users_file', description: 'htpasswd file with bcrypt hashes' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  usersFile?: string;

  @Setting({ name: 'robots_file', description: 'file of robots, kept by `oci-registry robot`' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  robotsFile?: string;

  @Setting({
    name: 'public_url',
    description:
      'origin under which clients reach this server, such as https://registry.example.com; from the Host header unless set',
  })
  @IsOptional()
  @IsOrigin()
  publicUrl?: string;

  @Setting({
    name: 'trusted_proxies',
    default: '[]',
    parse: parseList,
    description: 'networks of the proxies whose X-Forwarded-For, -Proto and -Host headers count',
  })
  @AreNetworks()
  trustedProxies: string[] = [];

  @Setting({
    name: 'token_key_file',
    description:
      'PEM file with Ed25519 keys that sign tokens: the first signs, all are accepted; without it a key is made in the storage',
  })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  tokenKeyFile?: string;

  @Setting({
    name: 'audit_log',
    description: 'file to which each decision is appended as a JSON line, or `stdout`; none unless set',
  })
  @IsOptional()
  @IsText('the path of a file, or stdout', 4096)
  auditLog?: string;

  @Setting({ name: 'groups', default: '{}', description: 'groups of users: lists of user names by name' })
  @AreGroups()
  groups: Record<string, string[]> = {};

  @Setting({
    name: 'issuers',
    default: '[]',
    description: 'OpenID Connect issuers whose tokens are accepted, as of GitHub Actions, GitLab CI and Kubernetes',
  })
  @AreMaps()
  issuers: IssuerSettings[] = [];

  @Setting({
    name: 'client_certificates',
    description:
      'certificates of clients that count in place of credentials, where this server does TLS; none unless set',
  })
  @IsOptional()
  @IsMap()
  clientCertificates?: ClientCertificateSettings;

  @Setting({
    name: 'ldap',
    description: 'directory whose users sign in with their passwords there; none unless set',
  })
  @IsOptional()
  @IsMap()
  ldap?: LdapSettings;

  @Setting({
    name: 'limits',
    default: '[]',
    description: 'how much may be pulled and pushed in a span of time; none unless set',
  })
  @AreMaps()
  limits: LimitSettings[] = [];

  @Setting({
    name: 'unknown_credentials',
    default: 'refuse',
    description:
      'what wrong credentials are: `refuse` (401), or `anonymous`, for mirrors to which Docker sends the password of Docker Hub',
  })
  @IsOneOf(['refuse', 'anonymous'])
  unknownCredentials: 'refuse' | 'anonymous' = 'refuse';

  @Setting({
    name: 'rules',
    description: 'what identities may do; what no rule allows is denied, rules add up, and their order has no meaning',
  })
  @AreMaps()
  rules!: AccessRuleSettings[];
}
