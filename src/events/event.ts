import type { EventAction } from '../config/webhooks/webhook.settings.js';
import type { RepositoryRef } from '../oci/repository.js';

/** What an event is about. */
export interface EventTarget {
  readonly kind: 'manifest' | 'blob' | 'tag';
  readonly mediaType?: string;
  readonly digest?: string;
  /** Bytes. */
  readonly size?: number;
  readonly tag?: string;
  /** Namespace and name of the repository that a blob was mounted from. */
  readonly fromRepository?: string;
  readonly url?: string;
}

/** The request that caused an event. */
export interface EventRequest {
  readonly id: string;
  /** Address of the client, with the port where it is known. */
  readonly addr: string;
  readonly host: string;
  readonly method: string;
  readonly useragent: string;
}

/** Something that has happened. */
export interface Occurrence {
  readonly action: EventAction;
  readonly repository: RepositoryRef;
  readonly target: EventTarget;
  readonly request?: EventRequest | undefined;
  /** The identity that sent the request, such as `user:anna`. */
  readonly actor?: string | undefined;
}

/** The process that an event is from. */
export interface EventSource {
  /** Host name and port. */
  readonly addr: string;
  /** A new one with each start. */
  readonly instanceID: string;
}

/** An event as it waits in the queue; the format of its endpoint is made of it when it is sent. */
export interface RegistryEvent {
  /** The same each time the event is sent. */
  readonly id: string;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly action: EventAction;
  /** Namespace and name. */
  readonly repository: string;
  readonly target: EventTarget;
  readonly request?: EventRequest;
  readonly actor?: string;
  readonly source: EventSource;
}

/** Undefined for anything that is no event, as of a file that was not written to its end. */
export function parseEvent(text: string): RegistryEvent | undefined {
  try {
    const value = JSON.parse(text) as Partial<RegistryEvent> | null;
    const isEvent = typeof value?.id === 'string' && typeof value.repository === 'string' && Boolean(value.target);
    return isEvent ? (value as RegistryEvent) : undefined;
  } catch {
    return undefined;
  }
}
