import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { runCheck, type CheckResult } from '../config/check.js';
import type { Settings } from '../config/settings.js';
import { checkClock, checkOpenFiles } from '../observability/process.check.js';
import { checkStorage } from '../storage/storage.check.js';
import { checkUpstreams } from '../upstream/upstream.check.js';

/** Checks everything that a mirror with these settings needs, without serving. */
export async function* doctor({ server, storage, upstreams }: Settings): AsyncGenerator<CheckResult> {
  // The results say everything; log lines between them would make the JSON unreadable.
  Logger.overrideLogger(false);
  const seen: { host: string; skew: number }[] = [];
  yield* checkStorage(storage, server.maxSize);
  yield* checkUpstreams(upstreams, (date) => seen.push(date));
  yield await runCheck({ name: 'clock', run: () => Promise.resolve(checkClock(seen)) });
  yield await runCheck({ name: 'open files', run: () => checkOpenFiles(server.maxConnections) });
}
