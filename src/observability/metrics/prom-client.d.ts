/** The registry alone: the package's index loads default metrics, which need ten times the memory. */
declare module 'prom-client/lib/registry.js' {
  import type { Registry } from 'prom-client';
  const registry: typeof Registry;
  export default registry;
}
