/** Whether OpenTelemetry's standard variables enable traces; its packages read the other variables themselves. */
export function wantsTraces(environment: NodeJS.ProcessEnv = process.env): boolean {
  const { OTEL_SDK_DISABLED: off, OTEL_TRACES_EXPORTER: exporter } = environment;
  if (off?.toLowerCase() === 'true' || exporter === 'none') return false;
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  return exporter === 'otlp' || (endpoint !== undefined && endpoint !== '');
}
