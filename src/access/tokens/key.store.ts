/**
 * Keeps the key that all replicas sign tokens with. Bound by the application, since access does not see the storage.
 */
export abstract class KeyStore {
  /** The stored text, or the given one if there was none: of all concurrent calls in any process one writes. */
  abstract readOrCreate(name: 'token-key', create: () => Promise<string>): Promise<string>;
}
