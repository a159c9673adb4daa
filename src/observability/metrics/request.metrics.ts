import { durationBounds, endpoints, indexOf, methods, outcomes, type RequestMeter } from '../logging/request.meter.js';
import type { AnyMetric } from './metric.js';

/** Requests of clients and their durations. */
export const requestMetrics: readonly AnyMetric<RequestMeter>[] = [
  {
    name: 'oci_registry_http_requests_total',
    type: 'counter',
    help: 'Requests by status class of the response; aborted if the connection closed before the response was complete',
    labels: ['endpoint', 'method', 'status'],
    // Combinations that have not occurred are left out.
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
    help: 'Seconds from the header of a request to the last byte of its response',
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
    help: 'Requests in progress',
    labels: [],
    read: ({ active }) => [{ labels: [], value: active }],
  },
];
