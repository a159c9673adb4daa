import type { EventAction } from '../../config/webhooks/webhook.settings.js';
import type { RegistryEvent } from '../event.js';

const pastOf: Readonly<Record<EventAction, string>> = {
  push: 'pushed',
  pull: 'pulled',
  delete: 'deleted',
  mount: 'mounted',
  evict: 'evicted',
};

/** CloudEvents 1.0, structured mode (github.com/cloudevents/spec, JSON event format §3). */
export function cloudEvent({
  id,
  timestamp,
  action,
  repository,
  target,
  request,
  actor,
  source,
}: RegistryEvent): object {
  const { kind, digest, tag, ...rest } = target;
  const place = tag === undefined ? `@${digest ?? ''}` : `:${tag}`;
  return {
    specversion: '1.0',
    id,
    // A network-path reference (RFC 3986 §4.2).
    source: `//${source.addr}`,
    type: `oci-registry.${kind}.${pastOf[action]}`,
    subject: `${repository}${place}`,
    time: timestamp,
    datacontenttype: 'application/json',
    data: { repository, digest, tag, ...rest, request, actor, instance: source.instanceID },
  };
}
