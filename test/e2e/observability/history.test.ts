import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CombinedHistory } from '../../../src/registry/statistics/history/combined.history.js';
import { totalOf } from '../../../src/registry/statistics/history/traffic.history.js';
import { makeImage } from '../../fixtures/images.js';
import { AdminAddress } from '../admin/support.js';
import { Stage } from '../support/stage.js';

interface Status {
  readonly history: {
    readonly lastDay: { readonly sent: number; readonly hits: number; readonly misses: number };
    readonly last30Days: { readonly sent: number };
    readonly replicas: readonly { readonly isThisOne: boolean; readonly version: string }[];
  };
}

describe('the history of traffic', () => {
  it('goes on after a restart, and administrators see it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'oci-registry-history-'));
    try {
      const bytes = [];
      for (const restart of [0, 1, 2]) {
        await using stage = await Stage.start({ root });
        const image = makeImage({ seed: `history ${restart}`, layers: [1_000] });
        stage.registry.addImage('team/app', image, ['1.0']);
        await stage.get(`team/app/blobs/${image.layers[0]!.digest}`);
        await stage.mirror.settled();
        await using admin = await AdminAddress.open(stage);
        const { history } = (await admin.request.get('/_admin/status').expect(200)).body as Status;
        bytes.push(history.lastDay.sent);
        expect(history.last30Days.sent).toBe(history.lastDay.sent);
        expect(history.lastDay.misses).toBe(restart + 1);
        expect(history.replicas).toEqual([expect.objectContaining({ isThisOne: true })]);
        const view = await stage.mirror.app.get(CombinedHistory).view();
        expect(totalOf(view.day)).toMatchObject({ sent: history.lastDay.sent });
      }
      expect(bytes).toEqual([bytes[0], bytes[0]! * 2, bytes[0]! * 3]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
