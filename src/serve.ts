import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.factory.js';
import { clearSocketFile } from './cli/socket-file.js';
import { StartError } from './cli/start-error.js';
import { parseListenAddress } from './config/listen-address.js';
import type { Settings } from './config/settings.js';
import { DrainService } from './distribution/drain.service.js';
import { DownloadsService } from './registry/downloads/downloads.service.js';
import { ReadinessService } from './registry/readiness.service.js';
import { StorageError } from './storage/storage-error.js';

/** Serves until SIGTERM or SIGINT, then lets running transfers end. @throws StartError */
export async function serve(settings: Settings): Promise<void> {
  const logger = new Logger('Server');
  const app = await open(settings);
  const stopped = stopSignal();
  try {
    logger.log(`listening on ${await listen(app, settings.server.listen)}`);
    logger.log(`${await stopped} received, finishing ${app.get(DrainService).count} transfers`);
    app.get(ReadinessService).startDraining();
    // Balancers find out first, and send nothing more to a process that is about to refuse it.
    await sleep(settings.server.drainDelay);
    const isDrained = await drain(app, settings.server.drainTimeout);
    if (!isDrained) logger.warn('the drain timeout passed, running transfers are cut');
  } finally {
    app.getHttpServer().closeAllConnections();
    await app.close();
  }
}

async function open(settings: Settings): Promise<NestFastifyApplication> {
  try {
    return await createApp(settings);
  } catch (error) {
    if (error instanceof StorageError) throw new StartError(error.message);
    throw error;
  }
}

/** @returns where, with the port that the system chose when it was asked for port 0 */
async function listen(app: NestFastifyApplication, text: string): Promise<string> {
  const address = parseListenAddress(text);
  if (!address) throw new StartError(`cannot listen on ${text}`);
  try {
    if ('path' in address) await clearSocketFile(address.path);
    return await app.getHttpAdapter().getInstance().listen(address);
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw new StartError(`cannot listen on ${text}: ${String(error.code)}`);
    throw error;
  }
}

/** Resolves with the first signal's name. A second one ends the process at once. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        for (const again of ['SIGTERM', 'SIGINT'] as const) {
          process.removeAllListeners(again);
          process.once(again, () => process.exit(1));
        }
        resolve(signal);
      });
    }
  });
}

/** Stops accepting, and waits for what is being sent and downloaded. @returns whether all of it ended in time */
async function drain(app: NestFastifyApplication, timeout: number): Promise<boolean> {
  const server = app.getHttpServer();
  server.close();
  server.closeIdleConnections();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), timeout)));
  const done = app
    .get(DrainService)
    .drain()
    .then(() => app.get(DownloadsService).idle())
    .then(() => true as const);
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
