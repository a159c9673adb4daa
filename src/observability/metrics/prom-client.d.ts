/** The registry alone: the package's index loads ten times the memory for metrics that Node makes of itself. */
declare module 'prom-client/lib/registry.js' {
  import type { Registry } from 'prom-client';
  const registry: typeof Registry;
  export default registry;
}
