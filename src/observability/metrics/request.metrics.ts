import { durationBounds, endpoints, indexOf, methods, outcomes, type RequestMeter } from '../logging/request.meter.js';
import type { AnyMetric } from './metric.js';

/** What clients ask, and how long answers take. */
export const requestMetrics: readonly AnyMetric<RequestMeter>[] = [
  {
    name: 'oci_registry_http_requests_total',
    type: 'counter',
    help: 'Requests of clients by the status of their answers; aborted when a connection closed before its answer was whole',
    labels: ['endpoint', 'method', 'status'],
    // Most combinations never happen, and are left out until they do.
    read: ({ responses }) =>
      endpoints.flatMap((endpoint, e) =>
        methods.flatMap((method, m) =>
          outcomes.flatMap((status, s) => {
            const value = responses[indexOf(e, m, s)] ?? 0;
            return value === 0 ? [] : [{ labels: [endpoint, method, status], value }];
          }),
        ),
      ),
  },
  {
    name: 'oci_registry_http_request_duration_seconds',
    type: 'histogram',
    help: 'Seconds from the header of a request to the last byte of its answer',
    labels: ['endpoint'],
    bounds: durationBounds,
    read: ({ durations }) =>
      endpoints.flatMap((endpoint, e) => {
        const { counts, sum } = durations[e] ?? { counts: [], sum: 0 };
        return [{ labels: [endpoint], counts, sum }];
      }),
  },
  {
    name: 'oci_registry_http_requests_active',
    type: 'gauge',
    help: 'Requests that are being answered',
    labels: [],
    read: ({ active }) => [{ labels: [], value: active }],
  },
];
