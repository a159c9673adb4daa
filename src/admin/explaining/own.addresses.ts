import { Injectable } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { AccessService } from '../../access/access.service.js';

/** The hosts, with their ports, under which clients may know this server. */
@Injectable()
export class OwnAddresses {
  constructor(private readonly access: AccessService) {}

  /** @param host of the request */
  of({ host }: IncomingHttpHeaders): readonly string[] {
    return [host, this.access.isEnabled ? this.access.service : undefined].flatMap((each) => each ?? []);
  }
}
