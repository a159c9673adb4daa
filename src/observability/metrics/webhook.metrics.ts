import type { EventsService } from '../../events/events.service.js';
import { dropReasons, type WebhookStatistics } from '../../events/webhook.counts.js';
import type { Metric } from './metric.js';

type OfEvents = Metric<Pick<EventsService, 'statistics'>>;

const byWebhook =
  (value: (statistics: WebhookStatistics) => number): OfEvents['read'] =>
  ({ statistics }) =>
    statistics.map((one) => ({ labels: [one.name], value: value(one) }));

/** Webhooks, by the names that the webhooks file gives them. */
export const webhookMetrics: readonly OfEvents[] = [
  {
    name: 'oci_registry_webhook_requests_total',
    type: 'counter',
    help: 'Requests to webhooks: delivered (2xx), or failed, after which the event is sent again',
    labels: ['webhook', 'result'],
    read: ({ statistics }) =>
      statistics.flatMap(({ name, counts }) => [
        { labels: [name, 'delivered'], value: counts.delivered },
        { labels: [name, 'failed'], value: counts.failed },
      ]),
  },
  {
    name: 'oci_registry_webhook_dropped_events_total',
    type: 'counter',
    help: 'Events that were given up: full (the queue), storage (their file could not be written or read) or expired (older than retry_for)',
    labels: ['webhook', 'reason'],
    read: ({ statistics }) =>
      statistics.flatMap(({ name, counts }) =>
        dropReasons.map((reason) => ({ labels: [name, reason], value: counts.dropped[reason] })),
      ),
  },
  {
    name: 'oci_registry_webhook_queued_events',
    type: 'gauge',
    help: 'Events that wait for their delivery',
    labels: ['webhook'],
    read: byWebhook(({ queued }) => queued),
  },
  {
    name: 'oci_registry_webhook_oldest_event_seconds',
    type: 'gauge',
    help: 'Age of the oldest event that waits, 0 without any',
    labels: ['webhook'],
    read: byWebhook(({ oldest }) => oldest / 1000),
  },
];
