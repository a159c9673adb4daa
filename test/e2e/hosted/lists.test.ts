import { describe, expect, it } from 'vitest';
import { manifestMediaTypes } from '../../../src/oci/media-type.js';
import { Namespace } from '../../../src/oci/namespace.js';
import { RepositoryRef } from '../../../src/oci/repository.js';
import {
  app,
  descriptor,
  digestOf,
  empty,
  HostedRegistry,
  image,
  index,
  refusal,
  tag,
  textOf,
} from './support/registry.js';

describe('the tags of a hosted repository', () => {
  it('are listed in the order of their bytes, in pages', async () => {
    await using registry = await HostedRegistry.start();
    const names = ['latest', 'V1', 'v1', 'v1.0', 'v1-0', 'v_1', '_x', '1', 'Z', 'a'.repeat(128), 'A'.repeat(128)];
    await registry.pushBlob(empty);
    await registry.put(names[0]!, image([]), { tags: names.slice(1).map(tag) });
    const sorted = [...names].sort();
    expect(await registry.listTags()).toEqual({ tags: sorted, next: undefined });
    expect(await registry.listTags('n=0')).toEqual({ tags: [], next: undefined });
    expect(await registry.listTags('n=11')).toEqual({ tags: sorted, next: undefined });
    expect(await registry.listTags(`last=${sorted[6]}`)).toEqual({ tags: sorted.slice(7), next: undefined });
    expect((await registry.listTags('last=v0')).tags).toEqual(sorted.filter((name) => name > 'v0'));
    expect((await registry.listTags('last=v1%20')).tags).toEqual(sorted.filter((name) => name > 'v1 '));
    expect((await registry.listTags('last=~')).tags).toEqual([]);
    const seen: string[] = [];
    for (let query: string | undefined = 'n=2'; query !== undefined;) {
      const page = await registry.listTags(query);
      seen.push(...page.tags);
      expect(page.next).toBe(page.next === undefined ? undefined : `n=2&last=${page.tags.at(-1)}`);
      query = page.next;
    }
    expect(seen).toEqual(sorted);
  });

  it('are none of a repository without tags, and unknown of one that nothing was pushed to', async () => {
    await using registry = await HostedRegistry.start();
    expect(await refusal(registry.listTags())).toBe('404 NAME_UNKNOWN');
    await registry.pushBlob('layer');
    expect(await registry.listTags()).toEqual({ tags: [], next: undefined });
  });
});

describe('referrers', () => {
  it('are a list for every digest, with what the manifests say of themselves', async () => {
    await using registry = await HostedRegistry.start();
    const missing = digestOf('never pushed');
    expect((await registry.listReferrers(missing)).manifests).toEqual([]);
    await registry.pushBlob(empty);
    const subject = { mediaType: manifestMediaTypes.ociManifest, digest: missing.toString(), size: 12 };
    const annotations = { 'org.example': 'ünïcode' };
    const own = image([], { subject, artifactType: 'a/own', annotations });
    const ofConfig = image([], { subject });
    const list = index([], { subject, artifactType: 'a/index' });
    const plain = index([], { subject });
    for (const body of [own, ofConfig, list, plain])
      expect((await registry.put(digestOf(body), body)).subject?.equals(missing)).toBe(true);
    const { manifests, filters } = await registry.listReferrers(missing);
    expect(filters).toBeUndefined();
    const expected = [
      { ...descriptor(own, manifestMediaTypes.ociManifest), artifactType: 'a/own', annotations },
      { ...descriptor(ofConfig, manifestMediaTypes.ociManifest), artifactType: 'application/vnd.oci.empty.v1+json' },
      { ...descriptor(list, manifestMediaTypes.ociIndex), artifactType: 'a/index' },
      descriptor(plain, manifestMediaTypes.ociIndex),
    ].sort((one, other) => (one.digest < other.digest ? -1 : 1));
    expect(manifests).toEqual(expected);
    const filtered = await registry.listReferrers(missing, 'artifactType=a/own');
    expect(filtered).toMatchObject({ filters: 'artifactType', next: undefined });
    expect(filtered.manifests.map(({ artifactType }) => artifactType)).toEqual(['a/own']);
    expect(await registry.listReferrers(missing, 'artifactType=')).toMatchObject({ manifests: expected });
    expect((await registry.listReferrers(missing, 'artifactType=')).filters).toBeUndefined();
  });

  it('of 100 signers at once are 100, in pages too', async () => {
    await using registry = await HostedRegistry.start();
    const subject = await registry.pushImage('v1');
    const signatures = Array.from({ length: 100 }, (_, at) =>
      image([], {
        subject: descriptor(subject, manifestMediaTypes.ociManifest),
        artifactType: at % 2 === 0 ? 'a/even' : 'a/odd',
        annotations: { at: String(at) },
      }),
    );
    await Promise.all(signatures.map((body) => registry.put(digestOf(body), body)));
    const sorted = signatures.map((body) => digestOf(body).toString()).sort();
    const all = await registry.listReferrers(digestOf(subject));
    expect(all.manifests.map(({ digest }) => digest)).toEqual(sorted);
    const seen: string[] = [];
    for (let query: string | undefined = 'n=7&artifactType=a/odd'; query !== undefined;) {
      const page = await registry.listReferrers(digestOf(subject), query);
      expect(page.manifests.length).toBeLessThanOrEqual(7);
      seen.push(...page.manifests.map(({ digest }) => digest));
      query = page.next;
    }
    const odd = all.manifests.filter(({ artifactType }) => artifactType === 'a/odd').map(({ digest }) => digest);
    expect(odd).toHaveLength(50);
    expect(seen).toEqual(odd);
  });

  it('that a client lists under a fallback tag are those whose subject it is', async () => {
    await using registry = await HostedRegistry.start();
    const subject = await registry.pushImage('v1');
    const signature = image([], {
      subject: descriptor(subject, manifestMediaTypes.ociManifest),
      artifactType: 'a/sig',
    });
    const stranger = image([], { artifactType: 'a/stranger' });
    for (const body of [signature, stranger]) await registry.put(digestOf(body), body);
    const fallback = index([signature, stranger]);
    const name = digestOf(subject).toString().replace(':', '-');
    await registry.put(name, fallback);
    const { manifests } = await registry.listReferrers(digestOf(subject));
    expect(manifests).toEqual([{ ...descriptor(signature, manifestMediaTypes.ociManifest), artifactType: 'a/sig' }]);
    expect((await registry.get(name)).body.equals(fallback)).toBe(true);
  });
});

describe('the catalog', () => {
  it('has what was pushed to, in order, of one namespace or of all', async () => {
    const hosted = [{ namespace: 'registry.test' }, { namespace: 'local' }];
    await using registry = await HostedRegistry.start({}, { hosted });
    const list = async (query: { n?: number; last?: string } = {}, namespace?: string) => {
      const page = await registry.catalog.list(query, namespace === undefined ? undefined : Namespace.parse(namespace));
      const { repositories } = JSON.parse(textOf(page.body)) as { repositories: string[] };
      return { repositories, next: page.next?.toString() };
    };
    expect(await list()).toEqual({ repositories: [], next: undefined });
    const names = ['local/a', 'local/a-b', 'local/a/b', 'local/team/app', 'registry.test/app', 'registry.test/z'];
    for (const name of [...names].reverse()) await registry.pushBlob('layer', RepositoryRef.parse(name));
    expect(await list()).toEqual({ repositories: names, next: undefined });
    expect(await list({}, 'local')).toEqual({ repositories: ['a', 'a-b', 'a/b', 'team/app'], next: undefined });
    expect(await list({ n: 2, last: 'a' }, 'local')).toEqual({ repositories: ['a-b', 'a/b'], next: 'n=2&last=a%2Fb' });
    const seen: string[] = [];
    let last: string | undefined;
    do {
      const page = await list({ n: 3, ...(last !== undefined && { last }) });
      seen.push(...page.repositories);
      last = new URLSearchParams(page.next).get('last') ?? undefined;
    } while (last !== undefined);
    expect(seen).toEqual(names);
    expect(await registry.tags.list(app, new URLSearchParams())).toBeDefined();
    // Text that is no name has its place, too.
    for (const text of [
      '',
      '.',
      'a-',
      'a.',
      'a/',
      'a/B',
      'a/b ',
      'a/z/',
      'aB',
      'b~',
      'team/',
      'team/é',
      'Z',
      '~',
      '%',
    ]) {
      expect((await list({ last: `local/${text}` })).repositories).toEqual(
        names.filter((name) => name > `local/${text}`),
      );
      expect((await list({ last: text })).repositories).toEqual(names.filter((name) => name > text));
      const own = names.flatMap((name) => (name.startsWith('local/') ? name.slice('local/'.length) : []));
      expect((await list({ last: text }, 'local')).repositories).toEqual(own.filter((name) => name > text));
    }
  });
});
