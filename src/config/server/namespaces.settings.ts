import { IsOptional } from 'class-validator';
import {
  ArePatterns,
  AreRegistryHosts,
  IsFlag,
  IsListenAddress,
  IsOneOf,
  IsRegistryHost,
  IsSecret,
  IsText,
} from '../validation/rules.js';
import { parseBoolean, parseList, Setting } from '../validation/setting.decorator.js';
import { toSecret, type Secret } from '../values/secret.js';

/** Where the server listens, what it serves, and which files say so. */
export class NamespacesSettings {
  @Setting({
    name: 'listen',
    env: 'LISTEN',
    value: 'address',
    default: '0.0.0.0:8080',
    description:
      'address to listen on: host:port, :port for all addresses of IPv4 and IPv6, or unix:/path for a Unix socket',
  })
  @IsListenAddress()
  listen = '0.0.0.0:8080';

  @Setting({
    name: 'default-namespace',
    env: 'DEFAULT_NAMESPACE',
    value: 'host',
    default: 'docker.io',
    description: 'registry for requests that name none, such as those of Docker Engine',
  })
  @IsRegistryHost()
  defaultNamespace = 'docker.io';

  @Setting({
    name: 'unknown-namespaces',
    env: 'UNKNOWN_NAMESPACES',
    value: 'policy',
    default: 'mirror',
    description: 'policy for unconfigured registries: mirror (over https, public addresses only) or deny',
  })
  @IsOneOf(['mirror', 'deny'])
  unknownNamespaces: 'mirror' | 'deny' = 'mirror';

  @Setting({
    name: 'hosted-namespace',
    env: 'HOSTED_NAMESPACES',
    value: 'host',
    parse: parseList,
    parseEach: (names) => names.flatMap(parseList),
    description:
      'namespace to push to, without an entry in the upstream file; repeatable, and comma-separated in the variable',
  })
  @AreRegistryHosts()
  hostedNamespaces: string[] = [];

  @Setting({
    name: 'allow-anonymous-push',
    env: 'ALLOW_ANONYMOUS_PUSH',
    default: 'false',
    parse: parseBoolean,
    description: 'let everybody who can reach this server push to hosted namespaces and delete from them',
  })
  @IsFlag()
  allowAnonymousPush = false;

  @Setting({
    name: 'catalog',
    env: 'CATALOG',
    value: 'which',
    default: 'hosted',
    description: 'repositories in /v2/_catalog: hosted, or all for the mirrored ones that something is stored of, too',
  })
  @IsOneOf(['hosted', 'all'])
  catalog: 'hosted' | 'all' = 'hosted';

  @Setting({
    name: 'access-file',
    env: 'ACCESS_FILE',
    value: 'file',
    description:
      'YAML file that says who clients are and what they may do; without it, everybody may pull and nobody may push',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  accessFile?: string;

  @Setting({
    name: 'webhooks-file',
    env: 'WEBHOOKS_FILE',
    value: 'file',
    description: 'YAML file with a list of webhooks that are told of pushes, deletions and other events',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  webhooksFile?: string;

  @Setting({
    name: 'webhooks-queue',
    env: 'WEBHOOKS_QUEUE',
    value: 'dir',
    description:
      'directory for events that wait for their delivery; by default below the root of filesystem storage, and else in the directory for temporary files',
  })
  @IsOptional()
  @IsText('the path of a directory', 4096)
  webhooksQueue?: string;

  @Setting({
    name: 'upstream-config-file',
    env: 'UPSTREAM_CONFIG_FILE',
    value: 'file',
    description: 'YAML file with a list of upstream registries, see example.yaml',
  })
  @IsOptional()
  @IsText('the path of a file')
  upstreamConfigFile?: string;

  @Setting({
    name: 'upstream-credentials',
    env: 'UPSTREAM_CREDENTIALS',
    value: 'json',
    secret: true,
    description: 'JSON map of credentials to merge into the upstreams: {"docker.io":{"username":"u","password":"p"}}',
  })
  @IsOptional()
  @IsSecret('a JSON map', 1_000_000)
  get upstreamCredentials(): Secret | undefined {
    return this.credentials;
  }
  set upstreamCredentials(value: Secret | string | undefined) {
    this.credentials = toSecret(value);
  }

  @Setting({
    name: 'upstream-credentials-file',
    env: 'UPSTREAM_CREDENTIALS_FILE',
    value: 'file',
    description: 'file that contains that map, such as a mounted secret',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  upstreamCredentialsFile?: string;

  private credentials?: Secret | undefined;

  @Setting({
    name: 'allow-namespaces',
    env: 'ALLOW_NAMESPACES',
    value: 'patterns',
    parse: parseList,
    description: 'unconfigured registries to mirror regardless of --unknown-namespaces: ghcr.io,*.example.com',
  })
  @ArePatterns()
  allowNamespaces: string[] = [];

  @Setting({
    name: 'deny-namespaces',
    env: 'DENY_NAMESPACES',
    value: 'patterns',
    parse: parseList,
    description: 'unconfigured registries that are never mirrored',
  })
  @ArePatterns()
  denyNamespaces: string[] = [];
}
