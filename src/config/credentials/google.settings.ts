import { IsOptional } from 'class-validator';
import { AreRegistryHosts, IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import type { CheckedOptions } from './checked-options.js';
import { AreScopes, IsMatching, type Mistake } from './cloud.rules.js';
import { variable } from './cloud.variable.js';

/** `google`: Artifact Registry and gcr.io, with the identity of the machine or pod, or with that of a file. */
export class GoogleSettings implements CheckedOptions {
  @Setting({
    name: 'file',
    description:
      'JSON file with a service account key, workload identity federation (external_account) or an authorized user; read again when it changes. Without it, the file in GOOGLE_APPLICATION_CREDENTIALS, or else the metadata server',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  file?: string;

  @Setting({
    name: 'service_account',
    description:
      'email of the service account to get from the metadata server; the default one of the machine or pod unless set',
  })
  @IsOptional()
  @IsMatching(/^[a-z0-9][a-z0-9.-]{0,127}(@[a-z0-9.-]{1,253})?$/, 'the email of a service account')
  serviceAccount?: string;

  @Setting({
    name: 'scopes',
    default: '[]',
    description:
      'OAuth scopes to request; the metadata server gives those of the machine unless set, other sources give https://www.googleapis.com/auth/cloud-platform',
  })
  @AreScopes()
  scopes: string[] = [];

  @Setting({
    name: 'registry_hosts',
    default: '[]',
    description:
      'additional registry hosts that may receive the access token, host or host:port; `*.pkg.dev`, `gcr.io` and `*.gcr.io` always may',
  })
  @AreRegistryHosts()
  registryHosts: string[] = [];

  @Setting({
    name: 'token_hosts',
    default: '[]',
    description:
      'additional hosts that the file may name for requesting tokens, host or host:port; `*.googleapis.com` and `accounts.google.com` always may',
  })
  @AreRegistryHosts()
  tokenHosts: string[] = [];

  mistakes(): readonly Mistake[] {
    if (this.file === undefined || this.serviceAccount === undefined) return [];
    return [{ name: 'service_account', kind: 'text', reason: 'is for the metadata server: set either it or file' }];
  }
}

/** What the environment says where settings do not. */
export interface GoogleEnvironment {
  /** Path of a credentials file. */
  readonly file: string | undefined;
  /** Host of the metadata server, with an optional port. */
  readonly metadataHost: string;
}

export function googleEnvironment(): GoogleEnvironment {
  return {
    file: variable('GOOGLE_APPLICATION_CREDENTIALS'),
    metadataHost: variable('GCE_METADATA_HOST') ?? 'metadata.google.internal',
  };
}
