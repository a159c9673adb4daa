import { Inject, Injectable } from '@nestjs/common';
import type { AccessSettings } from '../config/access/access.settings.js';
import { accessSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import { OciError } from '../oci/error.js';
import type { RepositoryRef } from '../oci/repository.js';
import { HostedNamespaces } from './hosted/hosted-namespaces.js';

/** Who may push to a repository and delete from it. */
@Injectable()
export class PushRights {
  constructor(
    private readonly hosted: HostedNamespaces,
    private readonly settings: ServerSettings,
    @Inject(accessSettings) private readonly access: AccessSettings | undefined,
  ) {}

  /**
   * To be called before a body is read.
   * @throws OciError UNSUPPORTED for a mirrored repository; DENIED when nobody may push
   */
  assert({ namespace }: RepositoryRef): void {
    if (this.hosted.isFormer(namespace)) {
      const name = namespace.toString();
      throw new OciError('UNSUPPORTED', `${name} is read-only: start the server with --hosted-namespace ${name}`);
    }
    if (!this.hosted.has(namespace)) {
      const { names } = this.hosted;
      const others = names.length === 0 ? '' : `, or to one of the hosted namespaces: ${names.join(', ')}`;
      throw new OciError(
        'UNSUPPORTED',
        `${namespace.toString()} is mirrored here, for pulls only: push to the registry itself${others}`,
      );
    }
    // With an access file its rules have decided before.
    if (!this.settings.allowAnonymousPush && !this.access) {
      throw new OciError(
        'DENIED',
        'pushes are not allowed: start the server with --access-file, or with --allow-anonymous-push to allow everybody',
      );
    }
  }
}
