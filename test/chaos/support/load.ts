import http from 'node:http';
import type { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage, type FixtureImage } from '../../fixtures/images.js';
import { pull } from './client.js';

/** Milliseconds after which there is a new image that nobody has pulled yet. */
const novelty = 500;
/** Milliseconds that a client rests between two pulls. */
const rest = 20;

const sizes = [100_000, 1_000_000];

interface Tagged {
  readonly tag: string;
  readonly image: FixtureImage;
}

/**
 * Clients that pull images again and again, every body once: what does not come whole and right at the first try is
 * broken. Every other pull is of an image that is new, so that several clients want the same cold blobs at once; every
 * other client keeps its connection open from one request to the next, as containerd does.
 */
export class Load {
  pulls = 0;
  /** What went wrong, in words. */
  readonly broken: string[] = [];
  private readonly warm: Tagged;
  private fresh: Tagged;
  private freshSince = performance.now();
  private images = 0;
  private isOver = false;
  private readonly clients: Promise<void>[];

  constructor(
    private readonly url: string,
    private readonly registry: FakeRegistry,
    clients = 20,
  ) {
    this.warm = this.publish();
    this.fresh = this.publish();
    this.clients = Array.from({ length: clients }, (_, index) => this.work(index % 2 === 0));
  }

  /** Different images that clients were offered. */
  get offered(): number {
    return this.images;
  }

  /** Lets every pull that has begun end. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.clients);
  }

  private async work(keepAlive: boolean): Promise<void> {
    const agent = keepAlive ? new http.Agent({ keepAlive, maxSockets: 1 }) : undefined;
    for (let index = 0; !this.isOver; index += 1) {
      const { tag, image } = index % 2 === 0 ? this.warm : this.newest();
      const { manifest, config, layers } = image;
      const before = this.broken.length;
      const parts = [
        { path: `manifests/${tag}`, body: manifest.body },
        ...[config, ...layers].map(({ digest, body }) => ({ path: `blobs/${digest}`, body })),
      ];
      for (const { path, body } of parts) {
        const outcome = await pull(`${this.url}/v2/registry.test/app/${path}`, body, agent && { agent });
        if (outcome.verdict === 'right') continue;
        const what = `${outcome.verdict} ${outcome.status}, ${outcome.body.length} of ${body.length} bytes`;
        this.broken.push(`${path}${keepAlive ? ' on an open connection' : ''}: ${what}`);
      }
      if (this.broken.length === before) this.pulls += 1;
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    agent?.destroy();
  }

  private newest(): Tagged {
    if (performance.now() - this.freshSince > novelty) {
      this.fresh = this.publish();
      this.freshSince = performance.now();
    }
    return this.fresh;
  }

  private publish(): Tagged {
    const tag = `v${(this.images += 1)}`;
    const image = makeImage({ seed: tag, layers: sizes });
    this.registry.addImage('app', image, [tag]);
    return { tag, image };
  }
}
