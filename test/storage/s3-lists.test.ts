import { expect, it } from 'vitest';
import { manifestMediaTypes } from '../../src/oci/media-type.js';
import { Digest } from '../../src/oci/digest.js';
import { Tag } from '../../src/oci/reference.js';
import { RepositoryRef } from '../../src/oci/repository.js';
import { S3Provider } from '../../src/storage/providers/s3/s3.provider.js';
import { HostedStore } from '../../src/storage/stores/hosted/hosted.store.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { VersityGateway } from './support/versitygw.js';

it('lists 2,500 tags of a bucket in order with one request for 1,000, and reads a tag with one request', async () => {
  await using server = await VersityGateway.start();
  await using proxy = await FaultyProxy.start(server.url);
  const bucket = await server.makeBucket();
  const provider = new S3Provider(bucket.settings({ host: proxy.url }));
  await provider.initialize();
  try {
    const app = RepositoryRef.parse('local/team/app');
    const store = new HostedStore(provider);
    const digest = Digest.of(Buffer.from('manifest'));
    const target = { digest, mediaType: manifestMediaTypes.ociManifest, size: 8, pushedAt: 1 };
    const names = Array.from({ length: 2_500 }, (_, at) => `${at % 2 === 0 ? 'V_' : 'v'}${at}`);
    for (let done = 0; done < names.length; done += 100)
      await Promise.all(names.slice(done, done + 100).map((name) => store.putTag(app, Tag.parse(name), target)));

    proxy.requests.length = 0;
    const seen: string[] = [];
    for (let last: Tag | undefined, isOver = false; !isOver;) {
      const page: Tag[] = await store.listTags(app, last, 1_000);
      seen.push(...page.map(({ name }) => name));
      last = page.at(-1);
      isOver = page.length < 1_000;
    }
    expect(seen).toEqual([...names].sort());
    expect(proxy.requests).toHaveLength(3);

    proxy.requests.length = 0;
    expect(await store.findTag(app, Tag.parse('v1'))).toMatchObject(target);
    expect(proxy.requests).toHaveLength(1);
  } finally {
    await provider.close();
    bucket.close();
  }
});
