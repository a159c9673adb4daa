import { describe, expect, it } from 'vitest';
import type { Occurrence } from '../../events/event.js';
import type { EventsService } from '../../events/events.service.js';
import { Digest } from '../../oci/digest.js';
import { EvictionEvents } from './eviction.events.js';

const digest = Digest.of(Buffer.from('{}'));
const garbage = { digest: digest.toString(), usedAt: new Date(0), size: 1, reason: 'none' };

function scene(isEnabled = true) {
  const emitted: string[] = [];
  const emit = ({ action, repository, target }: Occurrence) => {
    const { kind, tag = '', digest: about = '' } = target;
    emitted.push(`${action} ${kind} ${repository.toString()}:${tag}@${about}`);
    return Promise.resolve();
  };
  return { emitted, evictions: new EvictionEvents({ isEnabled, emit } as unknown as EventsService) };
}

describe('the events of a sweep', () => {
  it('are of manifests and blobs of mirrored repositories, as far as their keys name them', async () => {
    const { emitted, evictions } = scene();
    const place = { namespace: 'ghcr.io', name: 'team/app' };
    await evictions.onRemoved?.({ kind: 'manifest', ...place, digest });
    await evictions.onRemoved?.({ kind: 'blob', ...place, digest });
    await evictions.onRemoved?.({ kind: 'tag', ...place });
    await evictions.onRemoved?.({ kind: 'list', ...place });
    await evictions.onRemoved?.({ kind: 'blob', namespace: '_hash', name: 'Not a name', digest });
    expect(emitted).toEqual(['manifest', 'blob'].map((kind) => `evict ${kind} ghcr.io/team/app:@${digest.toString()}`));
  });

  it('are of tags, too, in hosted repositories', async () => {
    const { emitted, evictions } = scene();
    await evictions.collected({ ...garbage, repository: 'local/app', kind: 'blob' });
    await evictions.collected({ ...garbage, repository: 'local/app', kind: 'tag', tag: 'v1' });
    expect(emitted).toEqual([`evict blob local/app:@${garbage.digest}`, `evict tag local/app:v1@${garbage.digest}`]);
  });

  it('are none without webhooks', async () => {
    const { emitted, evictions } = scene(false);
    expect(evictions.onRemoved).toBeUndefined();
    await evictions.collected({ ...garbage, repository: 'local/app', kind: 'blob' });
    expect(emitted).toEqual([]);
  });
});
