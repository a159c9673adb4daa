import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest-name.js';

const names = ['filesystem', 's3', 'custom', 'doctor', 'namespace', 'host', 'tag_ttl', 'password', 'password_file'];

describe('the nearest name', () => {
  it.each([
    ['filesytem', 'filesystem'],
    ['fielsystem', 'filesystem'],
    ['FileSystem', 'filesystem'],
    ['namespce', 'namespace'],
    ['namespaces', 'namespace'],
    ['hosts', 'host'],
    ['hsot', 'host'],
    ['tagTtl', 'tag_ttl'],
    ['tag-ttl', 'tag_ttl'],
    ['passwort', 'password'],
    ['passwordfile', 'password_file'],
    ['docter', 'doctor'],
    ['s4', 's3'],
  ])('of %s is %s', (name, nearest) => expect(nearestName(name, names)).toBe(nearest));

  it.each(['', 'colour', 'planted', 'x'.repeat(10_000), 'ghcr.io', '{"a":"b"}', 'serve'])('of %j is none', (name) => {
    expect(nearestName(name, names)).toBeUndefined();
  });
});
