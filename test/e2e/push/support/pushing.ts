import { makeImage, type FixtureBlob, type FixtureImage } from '../../../fixtures/images.js';
import type { Random } from '../../support/random.js';
import { Conversation, type Heard } from './conversation.js';
import { withQuery } from './hosting.js';

/** Bytes that the largest layer of most images has at most. */
const usual = 800_000;

/** An image on its way to a repository, and what the server has acknowledged of it. */
export class Push {
  readonly image: FixtureImage;
  /** Digests of blobs. */
  readonly acknowledged = new Set<string>();
  isDone = false;
  /** The session of the upload that was interrupted, unless it may have ended. */
  private session: { readonly of: string; readonly path: string } | undefined;
  /** The request that ends a session which has all bytes: until it is acknowledged, it can be repeated. */
  private final: { readonly of: string; readonly target: string } | undefined;

  /** @param largest bytes that its largest layer has at most, in one image of four. */
  constructor(
    readonly repository: string,
    readonly tag: string,
    private readonly random: Random,
    largest: number,
  ) {
    const most = random.below(4) === 0 ? largest : usual;
    const layers = [2 + random.below(2_000), 2 + random.below(70_000), 2 + random.below(most)];
    this.image = makeImage({ layers, seed: `${repository}:${tag}` });
  }

  get blobs(): readonly FixtureBlob[] {
    return [this.image.config, ...this.image.layers];
  }

  /** Pushes what is not acknowledged, as one of several clients does. @throws Refused; Error when the connection ends */
  async run(client: Conversation): Promise<void> {
    for (const blob of this.blobs) {
      if (!this.acknowledged.has(blob.digest)) await this.upload(client, blob);
      this.acknowledged.add(blob.digest);
    }
    const { manifest } = this.image;
    const headers = [`content-type: ${manifest.mediaType}`];
    const put = await client.ask('PUT', `/v2/${this.repository}/manifests/${this.tag}`, {
      body: manifest.body,
      headers,
    });
    expectStatus(put, 201);
    this.isDone = true;
  }

  private async upload(client: Conversation, blob: FixtureBlob): Promise<void> {
    const path = `/v2/${this.repository}/blobs`;
    if ((await client.ask('HEAD', `${path}/${blob.digest}`)).status === 200) return;
    if (this.final?.of === blob.digest) {
      expectStatus(await client.ask('PUT', this.final.target, { body: '' }), 201);
      return;
    }
    const shape = this.random.below(3);
    if (shape === 0) {
      expectStatus(await client.ask('POST', `${path}/uploads/?digest=${blob.digest}`, { body: blob.body }), 201);
      return;
    }
    const { location, done } = await this.continued(client, path, blob.digest);
    const rest = blob.body.subarray(done);
    let next = location;
    const step = Math.max(200_000, Math.ceil(blob.body.length / 4));
    for (let from = 0; shape === 2 && from < rest.length; from += step) {
      const patched = await client.ask('PATCH', next, { body: [rest.subarray(from, from + step)] });
      expectStatus(patched, 202);
      next = patched.headers.location!;
      this.session = { of: blob.digest, path: next };
    }
    // Whoever does not hear the response cannot tell whether the session has ended.
    this.session = undefined;
    const target = withQuery(next, `digest=${blob.digest}`);
    if (shape === 2) this.final = { of: blob.digest, target };
    const put = await client.ask('PUT', target, { body: shape === 2 ? '' : rest });
    expectStatus(put, 201);
  }

  /** The session that was interrupted, or a new one. */
  private async continued(
    client: Conversation,
    path: string,
    digest: string,
  ): Promise<{ location: string; done: number }> {
    if (this.session?.of === digest) {
      const found = await client.ask('GET', this.session.path);
      expectStatus(found, 204);
      const { headers } = found;
      const last = Number(/^0-(\d+)$/.exec(headers.range!)![1]);
      return { location: headers.location!, done: last === 0 ? 0 : last + 1 };
    }
    const begun = await client.ask('POST', `${path}/uploads/`, { body: '' });
    expectStatus(begun, 202);
    this.session = { of: digest, path: begun.headers.location! };
    return { location: begun.headers.location!, done: 0 };
  }
}

/** The server has refused what it should take. */
export class Refused extends Error {}

function expectStatus({ status, body }: Heard, expected: number): void {
  if (status !== expected) throw new Refused(`${status} instead of ${expected}: ${body.toString()}`);
}
