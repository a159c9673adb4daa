/** Prints docs/metrics.md from the metrics: `npm run docs`. A test compares the file, and what /metrics answers, with it. */
import 'reflect-metadata';
import { allMetrics } from '../src/observability/metrics/metrics.service.js';

const head = `# Metrics

Generated from the source by \`npm run docs\`; a test compares it with what \`/metrics\` answers.

\`GET /metrics\` answers in Prometheus' text format. Whoever reaches the mirror reaches it, too: it tells the names of
configured registries and how much is pulled, and no repository, no client and no secret.

Values of \`namespace\` are the configured namespaces, Docker Hub and the default one, and \`other\` for all that are not
configured: what clients ask for adds no series. All counters start at 0 with the process.
`;

const notes = `
- \`manifest_cache_*\` and \`blob_cache_*\` have the names that the program before this one gave them. A hit was read from
  the store, also when the upstream was asked about it (REVALIDATED) or could not be (STALE). Manifests count for GET and
  HEAD, blobs for GET.
- \`oci_registry_saved_bytes_total\` is the largest that bytes sent less bytes received have been: it never decreases, and
  what is fetched and not sent, as for a client that left, counts against it.
- \`oci_registry_upstream_rate_limit*\` are there while a registry tells its limit, as Docker Hub does, and
  \`oci_registry_storage_used_bytes\` and \`_quota_bytes\` once they are known.
- \`endpoint\` is \`base\`, \`manifests\`, \`blobs\`, \`tags\`, \`referrers\` or \`other\`; \`method\` is \`GET\`, \`HEAD\` or \`other\`;
  \`status\` is the class (\`2xx\`), or \`aborted\` when the connection closed before the answer was whole.

[Alerts](../contrib/prometheus/alerts.yaml) and a [dashboard for Grafana](../contrib/grafana/oci-registry.json) are in
\`contrib\`. \`OciRegistryDown\` and \`OciRegistryEventLoopSlow\` know the mirror by its job in Prometheus, whose name has
to contain \`oci-registry\`, as the chart's does unless it is renamed; \`OciRegistryDown\` fires when no replica has
answered a scrape for five minutes, also when there is none to scrape.

## Probes

| path           | answer                                                                                                        |
| -------------- | ------------------------------------------------------------------------------------------------------------- |
| \`GET /healthz\` | 200 as long as the process can answer at all                                                                  |
| \`GET /readyz\`  | 200 while the storage takes writes, or is merely full; 503 with the reason when it does not, and from SIGTERM on |

The storage is written to at most every five seconds, and is given three seconds. Upstreams play no part: without them
what is stored is still served. With \`--drain-delay\` requests are still taken for that long after SIGTERM.

## Traces

A valid \`traceparent\` of a client ([W3C Trace Context](https://www.w3.org/TR/trace-context/)) goes on, with its
\`tracestate\` and the request's \`X-Request-Id\`, to the registry that is asked for it; token realms and hosts that a
registry redirects to get none of them.
`;

export function metricsReference(): string {
  const rows = allMetrics.map(
    ({ name, type, help, labels }) =>
      `| \`${name}\` | ${type} | ${labels.map((l) => `\`${l}\``).join(' ')} | ${help} |`,
  );
  const table = ['| name | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return `${head}\n${table}\n${notes}`;
}

if (process.argv[1] === import.meta.filename) process.stdout.write(metricsReference());
