import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { checkAccess } from '../access/access.check.js';
import { runCheck, type CheckResult } from '../config/check.js';
import type { Settings } from '../config/settings.js';
import { defaultUpstream } from '../config/upstream-file.js';
import { Namespace } from '../oci/namespace.js';
import { checkWebhooks } from '../events/webhooks.check.js';
import { checkClock, checkOpenFiles } from '../observability/process.check.js';
import { checkStorage } from '../storage/storage.check.js';
import { checkUpstreams } from '../upstream/upstream.check.js';

type Seen = Parameters<typeof checkUpstreams>[1];

/** Checks everything that a mirror with these settings needs, without serving. */
export async function* doctor(settings: Settings): AsyncGenerator<CheckResult> {
  // The results say everything; log lines between them would make the JSON unreadable.
  Logger.overrideLogger(false);
  const { server, storage, upstreams } = settings;
  const dates: { host: string; skew: number }[] = [];
  const seen: Seen = (date) => dates.push(date);
  yield* checkStorage(storage, server.maxSize);
  yield* checkAccess(settings);
  yield* checkWebhooks(settings);
  yield* checkUpstreams(upstreams, seen);
  yield* checkDefault(settings, seen);
  yield await runCheck({ name: 'clock', run: () => Promise.resolve(checkClock(dates)) });
  yield await runCheck({ name: 'open files', run: () => checkOpenFiles(server.maxConnections) });
}

/** The default namespace, if the upstream file does not have it. If the file has other registries, failures are warnings. */
async function* checkDefault({ server, upstreams }: Settings, seen: Seen): AsyncGenerator<CheckResult> {
  const namespace = Namespace.parse(server.defaultNamespace);
  if (upstreams.some((upstream) => Namespace.parse(upstream.namespace).equals(namespace))) return;
  for await (const result of checkUpstreams([defaultUpstream(namespace)], seen)) {
    if (result.status !== 'fail' || upstreams.length === 0) yield result;
    else {
      const detail = `${result.detail}; not configured, but the default for requests that name no registry`;
      yield { ...result, status: 'warn', detail };
    }
  }
}
