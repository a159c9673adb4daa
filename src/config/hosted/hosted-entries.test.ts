import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../configuration-error.js';
import { loadSettings } from '../settings.js';
import { readNamespaces } from '../upstream-file.js';

function mistakes(yaml?: string, credentials?: string, names: string[] = []): string[] {
  try {
    readNamespaces(yaml, credentials, names);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).message.split('\n');
  }
}

describe('hosted namespaces of the upstream file', () => {
  it('are not upstreams, and have defaults', () => {
    const { upstreams, hosted } = readNamespaces(
      '- {namespace: local, hosted: true}\n- {namespace: ghcr.io, host: ghcr.io}\n- {namespace: a.b, host: a.b, hosted: false}',
      undefined,
    );
    expect(upstreams.map(({ namespace }) => namespace)).toEqual(['ghcr.io', 'a.b']);
    expect(hosted).toEqual([
      expect.objectContaining({ namespace: 'local', immutableTags: [], keep: [], deletes: true, sparseIndexes: false }),
    ]);
    expect(hosted[0]?.maxSize).toBeUndefined();
    expect(hosted[0]?.untagged).toBeUndefined();
  });

  it('have every key read', () => {
    const { hosted } = readNamespaces(
      `
- namespace: registry.example.com
  hosted: true
  immutable_tags: ['v*', '1.0']
  untagged: 7d
  max_size: 200GiB
  quotas:
    - {repositories: 'team/**', max_size: 10GiB}
    - {repositories: '*', max_size: 1GB}
  keep:
    - {tags: ['v*']}
    - {repositories: 'team/**', tags: [latest, 'pr-*'], last: 20, pushed_within: 30d, pulled_within: 90d}
  deletes: false
  sparse_indexes: true
`,
      undefined,
    );
    expect(hosted[0]).toMatchObject({
      immutableTags: ['v*', '1.0'],
      untagged: 7 * 86_400_000,
      maxSize: 200 * 2 ** 30,
      quotas: [
        { repositories: 'team/**', maxSize: 10 * 2 ** 30 },
        { repositories: '*', maxSize: 1e9 },
      ],
      keep: [
        { repositories: '**', tags: ['v*'] },
        {
          repositories: 'team/**',
          tags: ['latest', 'pr-*'],
          last: 20,
          pushedWithin: 30 * 86_400_000,
          pulledWithin: 90 * 86_400_000,
        },
      ],
      deletes: false,
      sparseIndexes: true,
    });
  });

  it.each([
    ['host: a.b', 'upstreams[0].host: text: has no meaning for a hosted namespace, which has no upstream'],
    [
      'manifest_invalidation_time: 5m',
      'upstreams[0].manifest_invalidation_time: text: has no meaning for a hosted namespace, which has no upstream',
    ],
    [
      'immutable_tags: v*',
      'upstreams[0].immutable_tags: text: must be a list of tags in which * stands for any characters',
    ],
    [
      'immutable_tags: ["a b"]',
      'upstreams[0].immutable_tags: a list: must be a list of tags in which * stands for any characters',
    ],
    ['untagged: 7', 'upstreams[0].untagged: a number: must be a duration such as 30s, 1h 30m or 14d'],
    ['max_size: 80%', 'upstreams[0].max_size: text: must be a size such as 32MiB or 1GB'],
    ['quotas: 1GiB', 'upstreams[0].quotas: text: must be a list of maps'],
    ...['a//b', 'Team/**', '{user}/**', '.'].map((pattern) => [
      `quotas: [{repositories: '${pattern}', max_size: 1GiB}]`,
      'upstreams[0].quotas[0].repositories: text: must be a pattern of names within the namespace, such as team/**, in which * stands for characters and ** for components',
    ]),
    [
      "quotas: [{repositories: 'local/team/**', max_size: 1GiB}]",
      'upstreams[0].quotas[0].repositories: text: is a pattern within the namespace: leave local/ out',
    ],
    [
      'quotas: [{repositories: a, max_size: 1}]',
      'upstreams[0].quotas[0].max_size: a number: must be a size such as 32MiB or 1GB',
    ],
    ['quotas: [{repositories: a}]', 'upstreams[0].quotas[0].max_size: missing: must be a size such as 32MiB or 1GB'],
    [
      'quotas: [{repositories: a, max_size: 1GB}, {repositories: a, max_size: 2GB}]',
      'upstreams[0].quotas[1]: a map: repeats upstreams[0].quotas[0]',
    ],
    ['keep: 20', 'upstreams[0].keep: a number: must be a list of maps'],
    ['keep: [{last: many}]', 'upstreams[0].keep[0].last: text: must be a whole number from 0 to 1000000'],
    [
      'keep: [{}, {pulled_within: 90}]',
      'upstreams[0].keep[1].pulled_within: a number: must be a duration such as 30s, 1h 30m or 14d',
    ],
    [
      'keep: [{tags: pr-*}]',
      'upstreams[0].keep[0].tags: text: must be a list of tags in which * stands for any characters',
    ],
    ['keep: [{first: 1}]', 'upstreams[0].keep[0].first: a number: is not a known setting'],
    [
      "keep: [{repositories: 'local/team/**', last: 1}]",
      'upstreams[0].keep[0].repositories: text: is a pattern within the namespace: leave local/ out',
    ],
    ['deletes: maybe', 'upstreams[0].deletes: text: must be true, false, 1 or 0'],
    ['colour: red', 'upstreams[0].colour: text: is not a known setting'],
  ])('have the mistake %s reported', (line, expected) => {
    expect(mistakes(`- namespace: local\n  hosted: true\n  ${line}`)).toEqual([expected]);
  });

  it('have a flag that is none reported', () => {
    expect(mistakes('- {namespace: local, hosted: maybe}')).toEqual([
      'upstreams[0].hosted: text: must be true, false, 1 or 0',
    ]);
  });

  it('may not be mirrored as well, nor have credentials', () => {
    expect(mistakes('- {namespace: a.b, hosted: true}\n- {namespace: A.B, host: a.b}')).toEqual([
      'upstreams[1].namespace: text: repeats upstreams[0]',
    ]);
    expect(mistakes('- {namespace: a.b, host: a.b}', undefined, ['a.b'])).toEqual([
      '--hosted-namespace: repeats upstreams[0]',
    ]);
    expect(mistakes('- {namespace: a.b, hosted: true}', '{"a.b":{"username":"u","password":"p"}}')).toEqual([
      'UPSTREAM_CREDENTIALS[a.b]: a map: is a hosted namespace, which has no upstream',
    ]);
    expect(mistakes(undefined, '{"local":{"username":"u","password":"p"}}', ['local'])).toHaveLength(1);
  });
});

describe('--hosted-namespace', () => {
  const load = (server: Record<string, string | readonly string[]>) =>
    loadSettings({ server, storage: { name: 'filesystem', text: {} } });

  it('names namespaces, as a repeated flag and as a list', () => {
    const names = (value: string | readonly string[]) =>
      load({ 'hosted-namespace': value }).hosted.map(({ namespace }) => namespace);
    expect(names(['local', 'registry.example.com'])).toEqual(['local', 'registry.example.com']);
    expect(names('local, registry.example.com')).toEqual(['local', 'registry.example.com']);
    expect(load({}).hosted).toEqual([]);
  });

  it('is a mistake when it is no host, or named twice', () => {
    expect(() => load({ 'hosted-namespace': ['a/b'] })).toThrow('--hosted-namespace: a list: must be a list of host');
    expect(() => load({ 'hosted-namespace': ['local', 'Local'] })).toThrow('repeats --hosted-namespace');
  });
});
