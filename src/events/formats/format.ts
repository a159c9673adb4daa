import type { EventFormat } from '../../config/webhooks/webhook.settings.js';
import type { RegistryEvent } from '../event.js';
import { cloudEvent } from './cloud-event.js';
import { envelope } from './envelope.js';

/** An event as it is sent. */
export interface Message {
  readonly contentType: string;
  readonly body: string;
}

const formats: Readonly<
  Record<EventFormat, { readonly contentType: string; readonly of: (event: RegistryEvent) => object }>
> = {
  distribution: { contentType: 'application/vnd.docker.distribution.events.v2+json', of: envelope },
  cloudevents: { contentType: 'application/cloudevents+json; charset=utf-8', of: cloudEvent },
};

export function messageOf(event: RegistryEvent, format: EventFormat): Message {
  const { contentType, of } = formats[format];
  return { contentType, body: JSON.stringify(of(event)) };
}
