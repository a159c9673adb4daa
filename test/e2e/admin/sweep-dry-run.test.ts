import { expect, it } from 'vitest';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { Gate } from '../support/gate.js';
import { Stage } from '../support/stage.js';
import { AdminAddress, plantDamaged } from './support.js';

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as object);

it('POST /_admin/sweep?dry_run streams what would go, then the totals, one at a time', async () => {
  await using stage = await Stage.start({ server: { sweepInterval: 0 } });
  await using admin = await AdminAddress.open(stage);
  const key = await plantDamaged(stage.mirror.root);
  const ask = (query = '?dry_run') => fetch(`${admin.url}/_admin/sweep${query}`, { method: 'POST' });
  for (let time = 0; time < 2; time += 1) {
    const response = await ask();
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    const found = { kind: 'object', key, size: 7, reason: 'damaged', usedAt: expect.any(String) as string };
    const counts = { seen: 1, removedRecords: 0, removedContents: 0, removedBytes: 4096, failed: 0 };
    expect(linesOf(await response.text())).toEqual([found, counts]);
  }
  const service = stage.mirror.app.get(SweepService);
  const [begun, gate] = [new Gate(), new Gate()];
  const other = service.findRemovable(AbortSignal.timeout(60_000), () => {
    begun.open();
    return gate.opened;
  });
  await begun.opened;
  const refused = await ask();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  gate.open();
  await other;
  expect((await ask('?dry_run=false')).status).toBe(202);
  await service.run();
  expect(linesOf(await (await ask()).text())).toMatchObject([{ removedBytes: 0 }]);
});
