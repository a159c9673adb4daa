import type { RegistryEvent } from '../event.js';
import { clientName } from './client-name.js';

/**
 * An envelope of the CNCF registry with one event, in the order of its fields (distribution, notifications/event.go).
 * Fields without a value are left out where it leaves them out.
 */
export function envelope({ id, timestamp, action, repository, target, request, actor, source }: RegistryEvent): object {
  const { mediaType, digest, size, tag, fromRepository, url } = target;
  const host = request?.host;
  const event = {
    id,
    timestamp,
    action,
    target: {
      mediaType,
      digest,
      size,
      length: size,
      repository: clientName(repository, host),
      fromRepository: fromRepository && clientName(fromRepository, host),
      url,
      tag,
    },
    // These three are there without a request, too.
    request: request ?? { id: '', method: '', useragent: '' },
    actor: { name: actor },
    source,
  };
  return { events: [event] };
}
