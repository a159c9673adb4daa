import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
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
      const made = await mkdir(folder, { recursive: true, mode: 0o700 });
      const probe = join(folder, `probe-${randomUUID()}`);
      await writeFile(probe, 'probe', { flag: 'wx', mode: 0o600 });
      await rm(probe);
      // One that is left would belong to whoever runs doctor, who may not be the server's user.
      if (made !== undefined) await removeFrom(folder, made);
      const names = webhooks.map(({ name }) => name).join(', ');
      return { status: 'ok', detail: `${names}; events can be kept in ${folder}` };
    },
  });
}

/** Removes empty folders, from the inner one to the outer one. */
async function removeFrom(inner: string, outer: string): Promise<void> {
  for (let folder = inner; folder.length >= outer.length; folder = dirname(folder)) await rmdir(folder);
}
