import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digest, type DigestAlgorithm } from '../oci/digest.js';
import { Namespace } from '../oci/namespace.js';
import { Tag } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';
import { isKey, keys, mountSlots, parseCatalogKey, parseContentKey, parseRecordKey } from './keys.js';
import {
  parseOrderedTag,
  parseOrderedName,
  parseDigestComponent,
  placeAmongNames,
  placeAmongReferences,
} from './key-components.js';

const alphabet = (characters: string) => fc.constantFrom(...characters.split(''));
const hostLabel = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,6}[a-z0-9])?$/);
const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined });
const host = fc.oneof(
  fc.array(hostLabel, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  fc.constantFrom('docker.io', 'localhost', '[::1]', '[fe80::2]', '127.0.0.1', `${'long-label.'.repeat(22)}example`),
);
const namespace = fc
  .tuple(host, port)
  .map(([name, number]) => Namespace.parse(number === undefined ? name : `${name}:${number}`));
const nameComponent = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,3}(?:(?:\.|_|__|-{1,2})[a-z0-9]{1,3}){0,2}$/),
  fc.constantFrom('blobs', 'manifests', 'tags', 'sha256', 'a', 'ab'),
);
const repository = fc
  .tuple(namespace, fc.array(nameComponent, { minLength: 1, maxLength: 5 }))
  .map(([registry, parts]) => RepositoryRef.of(registry, parts.join('/')));
const digest = fc
  .tuple(fc.constantFrom<DigestAlgorithm>('sha256', 'sha512'), fc.nat({ max: 50 }))
  .map(([algorithm, content]) => Digest.of(Buffer.from(String(content)), algorithm));
const tag = fc
  .oneof(
    fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/),
    fc.string({ unit: alphabet('aA_.-'), minLength: 1, maxLength: 4 }).filter((text) => /^[a-zA-Z_]/.test(text)),
    fc.constantFrom('a', 'A', '_a', '_A', '__', '_', 'latest', 'LATEST', 'A'.repeat(128), 'a'.repeat(128)),
  )
  .map((text) => Tag.parse(text));

const epoch = fc.nat({ max: 99_999_999 });

/** What a key stands for, as text, and the key. */
const named = fc.oneof(
  digest.map((of) => ({ means: `content ${of.toString()}`, key: keys.content(of) })),
  digest.map((of) => ({ means: `origin ${of.toString()}`, key: keys.origin(of) })),
  fc
    .tuple(digest, fc.integer({ min: 0, max: mountSlots - 1 }))
    .map(([of, slot]) => ({ means: `mount source ${of.toString()} ${slot}`, key: keys.mountSource(of, slot) })),
  fc
    .tuple(repository, digest)
    .map(([of, at]) => ({ means: `blob ${of.toString()} ${at.toString()}`, key: keys.blob(of, at) })),
  fc
    .tuple(repository, digest)
    .map(([of, at]) => ({ means: `manifest ${of.toString()} ${at.toString()}`, key: keys.manifest(of, at) })),
  fc.tuple(repository, tag).map(([of, at]) => ({ means: `tag ${of.toString()} ${at.name}`, key: keys.tag(of, at) })),
  fc.tuple(fc.string(), digest, epoch).map(([from, of, at]) => ({
    means: `lease of ${of.toString()} from ${from} ${at}`,
    key: keys.lease(keys.blobLeases(from, of), at),
  })),
  fc.tuple(repository, digest, epoch).map(([of, named, at]) => ({
    means: `lease of ${of.toString()} ${named.toString()} ${at}`,
    key: keys.lease(keys.manifestLeases(of, named), at),
  })),
  fc.tuple(repository, tag, epoch).map(([of, named, at]) => ({
    means: `lease of ${of.toString()} ${named.name} ${at}`,
    key: keys.lease(keys.tagLeases(of, named), at),
  })),
);
const runs = { numRuns: 2000 };

describe('keys', () => {
  it('are well-formed, those of damaged records too', () => {
    fc.assert(
      fc.property(named, ({ key }) => isKey(key) && isKey(keys.damaged(key))),
      runs,
    );
  });

  it('differ when what they stand for differs, also where the file system folds case', () => {
    fc.assert(
      fc.property(named, named, (one, other) => {
        expect(one.key.toLowerCase() === other.key.toLowerCase()).toBe(one.means === other.means);
      }),
      runs,
    );
  });

  it('differ for every two short tags', () => {
    const repositoryRef = RepositoryRef.of(Namespace.parse('docker.io'), 'library/busybox');
    const letters = ['a', 'A', 'b', '_', '-', '.', '0'];
    const short = letters
      .flatMap((first) => [first, ...letters.flatMap((second) => letters.map((third) => first + second + third))])
      .filter((text) => /^[a-zA-Z0-9_]/.test(text));
    expect(new Set(short.map((text) => keys.tag(repositoryRef, Tag.parse(text)))).size).toBe(short.length);
  });

  it('are never a folder of another', () => {
    fc.assert(
      fc.property(named, named, (one, other) => !one.key.startsWith(`${other.key}/`)),
      runs,
    );
  });

  it('keep repositories apart whose names are put together alike', () => {
    const of = (registry: string, name: string) => keys.repository(RepositoryRef.of(Namespace.parse(registry), name));
    const all = [
      of('a', 'b/c'),
      of('a.b', 'c'),
      of('a:80', 'b/c'),
      of('a-80', 'b/c'),
      of('localhost:5000', 'a'),
      of('localhost', 'a'),
      of('[::1]', 'a'),
      of('[::1]:5000', 'a'),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('have components that every file system takes', () => {
    const longHost = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}:65535`;
    const longest = RepositoryRef.of(Namespace.parse(longHost), 'n'.repeat(255));
    for (const key of [
      keys.tag(longest, Tag.parse('A'.repeat(128))),
      keys.manifest(longest, Digest.of(Buffer.alloc(0), 'sha512')),
    ]) {
      expect(Math.max(...key.split('/').map((part) => part.length))).toBeLessThanOrEqual(255);
      expect(isKey(keys.damaged(key))).toBe(true);
    }
  });

  it('are as the tree above them says', () => {
    const busybox = RepositoryRef.of(Namespace.parse('docker.io'), 'busybox');
    const content = Digest.of(Buffer.from('x'));
    expect(keys.content(content)).toBe(`blobs/sha256/${content.hex.slice(0, 2)}/${content.hex}`);
    expect(keys.blob(busybox, content)).toBe(`repositories/docker.io/library/busybox/_blobs/sha256/${content.hex}`);
    expect(keys.manifest(busybox, content)).toBe(
      `repositories/docker.io/library/busybox/_manifests/sha256/${content.hex}`,
    );
    expect(keys.tag(busybox, Tag.parse('1.36-Musl_x'))).toBe(
      'repositories/docker.io/library/busybox/_tags/1.36-_musl__x',
    );
    const upstream = Digest.of(Buffer.from('docker.io https://registry-1.docker.io')).hex.slice(0, 32);
    expect(keys.lease(keys.blobLeases('docker.io https://registry-1.docker.io', content), 12)).toBe(
      `leases/sha256/${content.hex.slice(0, 2)}/${content.hex}-${upstream}-00000012`,
    );
  });
});

describe('what a key is about', () => {
  const about = (key: string) => {
    const { digest: of, ...rest } = parseRecordKey(key) ?? {};
    return { ...rest, ...(of && { digest: of.toString() }) };
  };
  const isLong = ({ namespace: name }: RepositoryRef) => keys.blob(RepositoryRef.of(name, 'a/b'), any).includes('/_-');
  const any = Digest.of(Buffer.from('any'));

  it('is told by the key alone', () => {
    fc.assert(
      fc.property(repository, digest, tag, (of, at, named) => {
        fc.pre(!isLong(of));
        const place = { namespace: of.namespace.toString(), name: of.name };
        const digestText = at.toString();
        expect(about(keys.blob(of, at))).toEqual({ ...place, kind: 'blob', digest: digestText });
        expect(about(keys.manifest(of, at))).toEqual({ ...place, kind: 'manifest', digest: digestText });
        expect(about(keys.tag(of, named))).toEqual({ ...place, kind: 'tag' });
        expect(about(keys.list(of, named.name))).toEqual({ ...place, kind: 'list' });
        expect(parseContentKey(keys.content(at))?.toString()).toBe(digestText);
      }),
      runs,
    );
  });

  it('is nothing when it is not ours', () => {
    const hex = any.hex;
    for (const key of [
      'repositories/docker.io/app',
      'repositories/docker.io/_blobs/sha256/abc',
      `repositories/docker.io/app/_blobs/sha256/${hex.slice(1)}`,
      `repositories/docker.io/app/_blobs/${hex}`,
      `repositories/docker.io/app/_uploads/sha256/${hex}`,
      `repositories/docker.io/app/_tags/sha256/${hex}`,
      `repositories/docker.io/a/_tags/b/_blobs/sha256/${hex}`,
    ])
      expect(parseRecordKey(key), key).toBeUndefined();
    for (const key of [
      `blobs/sha256/00/${hex}`,
      `blobs/sha256/${hex}`,
      `blobs/md5/${hex.slice(0, 2)}/${hex}`,
      'blobs/x',
    ])
      expect(parseContentKey(key), key).toBeUndefined();
  });

  it('is lower case throughout, so that a file system that folds case keeps it', () => {
    fc.assert(
      fc.property(named, ({ key }) => {
        expect(key).toBe(key.toLowerCase());
      }),
      runs,
    );
  });
});

describe('isKey', () => {
  it('never lets a path out of the storage', () => {
    fc.assert(
      fc.property(fc.string({ unit: alphabet('ab./_-\\A\0 %'), maxLength: 20 }), (text) => {
        if (!isKey(text)) return;
        expect(text).toMatch(/^[a-z0-9._-]+(?:\/[a-z0-9._-]+)*$/);
        expect(text.split('/')).not.toContain('..');
        expect(text.split('/')).not.toContain('.');
      }),
      runs,
    );
  });

  it('refuses the place of ingests, but not what only looks like it', () => {
    expect(isKey('ingest')).toBe(false);
    expect(isKey('ingest/one')).toBe(false);
    expect(isKey('ingests/one')).toBe(true);
    expect(isKey('damaged/ingest/one')).toBe(true);
  });
});

describe('keys of hosted repositories', () => {
  const last = (key: string) => key.slice(key.lastIndexOf('/') + 1);
  const local = Namespace.parse('local');
  const app = RepositoryRef.of(local, 'team/app');
  const names = fc.array(nameComponent, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

  it('are well-formed, and give back their tags in the order of the tags', () => {
    const shortTag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,40}$/);
    fc.assert(
      fc.property(shortTag, shortTag, (one, other) => {
        const [first, second] = [keys.hostedTag(app, Tag.parse(one)), keys.hostedTag(app, Tag.parse(other))];
        expect(isKey(first)).toBe(true);
        expect(parseOrderedTag(last(first))).toBe(one);
        expect(first < second).toBe(one < other);
      }),
      { numRuns: 2_000 },
    );
  });

  it('give back names in the order of the names', () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        const [first, second] = [one, other].map((name) => keys.cataloged(RepositoryRef.of(local, name))) as [
          string,
          string,
        ];
        expect(isKey(first)).toBe(true);
        expect(parseOrderedName(last(first))).toBe(one);
        expect(parseCatalogKey(first)).toBe('local');
        expect(first < second).toBe(one < other);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of names are in order with the place of any text', () => {
    const characters = fc.string({ unit: alphabet('ab9_-./:B ~é'), maxLength: 5 });
    fc.assert(
      fc.property(names, characters, (name, text) => {
        const key = last(keys.cataloged(RepositoryRef.of(local, name)));
        expect(key > placeAmongNames(text)).toBe(name > text);
        const reference = last(keys.mirrored(name) ?? '');
        expect(reference > placeAmongReferences(text)).toBe(name > text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('fit into a file name, however long the tag or the name', () => {
    const tags = ['A'.repeat(128), `${'A'.repeat(127)}B`, '_'.repeat(128)].map((text) =>
      last(keys.hostedTag(app, Tag.parse(text))),
    );
    expect(new Set(tags).size).toBe(3);
    for (const text of [...tags, last(keys.cataloged(RepositoryRef.of(local, 'a/'.repeat(127) + 'a')))]) {
      expect(text.length).toBeLessThanOrEqual(200);
      expect(isKey(text)).toBe(true);
      expect(parseOrderedTag(text) ?? parseOrderedName(text)).toBeUndefined();
    }
  });

  it('of refusals are records that keep no content', () => {
    const digest = Digest.of(Buffer.from('a'), 'sha512');
    for (const key of [keys.refusal(app), keys.refusal(app, digest)]) {
      expect(isKey(key)).toBe(true);
      expect(parseRecordKey(key)).toEqual({ kind: 'refusal', namespace: 'local', name: 'team/app' });
    }
    expect(keys.refusal(app)).not.toBe(keys.refusal(app, digest));
  });

  it('of referrers are records without content of their own', () => {
    const [subject, manifest] = [Digest.of(Buffer.from('a')), Digest.of(Buffer.from('b'), 'sha512')];
    const key = keys.referrer(app, subject, manifest);
    expect(isKey(key)).toBe(true);
    expect(parseRecordKey(key)).toEqual({ kind: 'referrer', namespace: 'local', name: 'team/app' });
    expect(parseDigestComponent(last(key))?.equals(manifest)).toBe(true);
    expect(parseDigestComponent('sha256-00')).toBeUndefined();
  });
});
