import { describe, expect, it } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { Digest } from '../../oci/digest.js';
import { OciError } from '../../oci/error.js';
import { Tag } from '../../oci/reference.js';
import { RepositoryRef } from '../../oci/repository.js';
import { LastOutcomes } from './last.outcomes.js';
import type { CacheStatus } from './traffic.counts.js';

const repository = RepositoryRef.parse('registry.test/team/app');
const tag = Tag.parse('1.0');
const digest = Digest.of(Buffer.from('content'));
const served = (cache: CacheStatus) => Promise.resolve({ digest, mediaType: 'a/b', size: 1, cache });

describe('the last outcome', () => {
  it('of hits in a row is the first, after what was before them', async () => {
    const clock = new HandClock();
    const outcomes = new LastOutcomes(clock);
    await outcomes.watch(repository, tag, served('MISS'));
    clock.pass(1);
    const at = clock.now();
    await outcomes.watch(repository, tag, served('HIT'));
    clock.pass(1);
    await outcomes.watch(repository, tag, served('HIT'));
    expect(outcomes.find(repository, tag)).toMatchObject({ outcome: 'hit', at, before: { outcome: 'miss' } });
    expect(outcomes.find(repository, digest)).toBeUndefined();
  });

  it.each([
    ['MANIFEST_UNKNOWN', 'refused'],
    ['DENIED', 'refused'],
    ['TOOMANYREQUESTS', 'failed'],
    ['UNAVAILABLE', 'failed'],
  ] as const)('of %s is %s, and the error stays as it is', async (code, outcome) => {
    const outcomes = new LastOutcomes(new HandClock());
    const error = new OciError(code, 'x'.repeat(10_000));
    await expect(outcomes.watch(repository, tag, Promise.reject(error))).rejects.toBe(error);
    const { reason = '', ...last } = outcomes.find(repository, tag)!;
    expect([last.outcome, reason.length, reason.startsWith(`${code}: `)]).toEqual([outcome, 300, true]);
  });

  it('of what rules refused says so', async () => {
    const outcomes = new LastOutcomes(new HandClock());
    await outcomes.watch(repository, tag, served('MISS'));
    outcomes.noteDenied(repository, tag, new OciError('DENIED', 'user:anna may not'));
    expect(outcomes.find(repository, tag)).toMatchObject({ isByRules: true, before: { outcome: 'miss' } });
  });

  it('is forgotten when newer ones need its place', async () => {
    const outcomes = new LastOutcomes(new HandClock());
    const tags = Array.from({ length: 5_000 }, (_, count) => Tag.parse(`tag-${count}`));
    for (const each of tags) await outcomes.watch(repository, each, served('MISS'));
    const kept = tags.filter((each) => outcomes.find(repository, each));
    expect(kept.at(-1)?.name).toBe('tag-4999');
    expect(kept.length).toBeLessThan(2_000);
    expect(outcomes.find(repository, tags[0]!)).toBeUndefined();
  });
});
