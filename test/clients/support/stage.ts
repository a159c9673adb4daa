import { inject } from 'vitest';
import type { Image, Images } from './images.js';
import { Mirror, type MirrorOptions } from './mirror.js';
import { Scratch } from './scratch.js';
import { type Authentication, UpstreamRegistry } from './upstream-registry.js';

/** A registry with the three images, and an empty mirror of it; closing ends whatever was started here or put here. */
export class Stage {
  private constructor(
    readonly scratch: Scratch,
    readonly images: Images,
    readonly upstream: UpstreamRegistry,
    readonly mirror: Mirror,
  ) {}

  static async open(mirrored: MirrorOptions, authentication: Authentication = 'token'): Promise<Stage> {
    const scratch = await Scratch.open();
    try {
      const upstream = await UpstreamRegistry.start(scratch, authentication);
      return new Stage(scratch, inject('images'), upstream, await Mirror.start(scratch, upstream, mirrored));
    } catch (error) {
      await scratch.close();
      throw error;
    }
  }

  get everyImage(): Image[] {
    return [this.images.multi, this.images.schema2, this.images.big];
  }

  close(): Promise<void> {
    return this.scratch.close();
  }
}
