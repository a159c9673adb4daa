import type { Image } from './images.js';
import type { Mirror } from './mirror.js';
import type { Scratch } from './scratch.js';

/** A container client whose only reachable source of images is the mirror. */
export interface Client {
  /** Whether a pull of an index takes the host's platform from it, or every platform. */
  readonly takes: 'host' | 'all';

  /** Pulls the image and returns the digests that the client itself reports for it afterwards. */
  pull(image: Image): Promise<string[]>;

  /** Forgets everything pulled, so that the next pull asks for all of it again. */
  wipe(): Promise<void>;
}

export type OpenClient<C extends Client> = (scratch: Scratch, mirror: Mirror) => Promise<C>;

/** The namespace of the upstream in every configuration here; nothing answers at that name itself. */
export const NAMESPACE = 'registry.test';

/** An address at which nothing answers, for whatever a client would fall back to. */
export const NOWHERE = '127.0.0.1:1';
