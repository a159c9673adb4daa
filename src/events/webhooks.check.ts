import { mkdir, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { runCheck, type CheckResult, type Finding } from '../config/check.js';
import type { Settings } from '../config/settings.js';
import { queueFolder } from './queue/queue.folder.js';

/** Whether events can be kept. Nothing is sent: an event that nobody caused would be a lie. */
export async function* checkWebhooks({ webhooks = [], server, storage }: Settings): AsyncGenerator<CheckResult> {
  if (webhooks.length === 0) return;
  const folder = queueFolder(server, storage);
  yield await runCheck({
    name: 'webhooks',
    run: async (): Promise<Finding> => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const probe = join(folder, `probe-${randomUUID()}`);
      await writeFile(probe, 'probe', { flag: 'wx', mode: 0o600 });
      await rm(probe);
      const names = webhooks.map(({ name }) => name).join(', ');
      return { status: 'ok', detail: `${names}; events can be kept in ${folder}` };
    },
  });
}
