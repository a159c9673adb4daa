/** Prints docs/metrics.md from the metrics (`npm run docs`). Tests compare the file and the response of /metrics with it. */
import 'reflect-metadata';
import { allMetrics } from '../src/observability/metrics/metrics.service.js';

const head = `# Metrics

Generated from the source by \`npm run docs\`; a test compares this page with the response of \`/metrics\`.

\`GET /metrics\` responds in the Prometheus text format. Anyone who can reach the mirror can read it. It contains the names of
configured registries and the amount of traffic, but no repositories, clients or secrets.

The label \`namespace\` is a configured namespace, Docker Hub, the default namespace, or \`other\` for all unconfigured ones, so
requests cannot add series. All counters start at 0 with the process.
`;

const notes = `
- \`manifest_cache_*\` and \`blob_cache_*\` have the names of the predecessor. A hit was read from the cache, even if the
  upstream confirmed it (REVALIDATED) or failed to (STALE). Manifests count for GET and HEAD, blobs for GET.
- \`oci_registry_saved_bytes_total\` is the maximum so far of bytes sent minus bytes received, so it never decreases. Bytes
  that were received but not sent, for example to a client that disconnected, count against it.
- \`oci_registry_upstream_rate_limit*\` exist while a registry reports its limit, as Docker Hub does;
  \`oci_registry_storage_used_bytes\` and \`_quota_bytes\` exist once they are known.
- \`oci_registry_upstream_credential_*\` exist for [sources of credentials](credentials/README.md) that may give others later, and for
  \`password_file\`; \`source\` is the key of the source in the upstream file.
- \`endpoint\` is \`base\`, \`manifests\`, \`blobs\`, \`tags\`, \`referrers\` or \`other\`; \`method\` is \`GET\`, \`HEAD\` or \`other\`;
  \`status\` is the class (\`2xx\`), or \`aborted\` if the connection closed before the response was complete.

[Alerts](../contrib/prometheus/alerts.yaml) and a [dashboard for Grafana](../contrib/grafana/oci-registry.json) are in
\`contrib\`. \`OciRegistryDown\` and \`OciRegistryEventLoopSlow\` identify the mirror by its Prometheus job, whose name must
contain \`oci-registry\`; the chart's default name does. \`OciRegistryDown\` fires if no replica has responded to a scrape for
five minutes, even if there is no target.

## Probes

| path           | response                                                                                                        |
| -------------- | --------------------------------------------------------------------------------------------------------------- |
| \`GET /healthz\` | 200 as long as the process can respond at all                                                                   |
| \`GET /readyz\`  | 200 while the storage accepts writes or is only full or read-only, with the reason; 503 with the reason if it does not, and during \`--drain-delay\` |

The check writes to the storage at most every five seconds, and fails after three seconds. Upstreams are not checked: cached
content is served without them. After SIGTERM, \`/readyz\` responds 503 for the time of \`--drain-delay\`, while other requests
are still served. Then, or at once without that setting, the listening socket is closed and new connections are refused.

## Traces

A valid \`traceparent\` of a client ([W3C Trace Context](https://www.w3.org/TR/trace-context/)) is passed on to the registry,
with its \`tracestate\` and the request's \`X-Request-Id\`. Token realms and redirect targets do not receive them.
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
