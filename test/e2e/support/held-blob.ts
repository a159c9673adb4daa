import { once } from 'node:events';
import type { Behaviour } from '../../fakes/registry/behaviour.js';
import type { FixtureBlob } from '../../fixtures/images.js';
import type { Gate } from './gate.js';

/** A registry's answer to GET of a blob, in one repository or in all, that stops after some bytes until the gate opens. */
export function heldBlob(
  { digest, body }: FixtureBlob,
  sent: number,
  gate: Gate,
  repository?: string,
): NonNullable<Behaviour['before']> {
  return async (request, response) => {
    if (request.method !== 'GET' || request.reference !== digest) return;
    if (repository !== undefined && request.repository !== repository) return;
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length });
    response.write(body.subarray(0, sent));
    await Promise.race([gate.opened, once(response, 'close')]);
    response.end(body.subarray(sent));
  };
}
