import { Logger } from '@nestjs/common';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AccessService } from '../access/access.service.js';
import { WarmService } from '../admin/warming/warm.service.js';
import { createApp } from '../app.factory.js';
import { shrinkHeap, useCompilers } from '../cli/heap.js';
import { clearSocketFile } from '../cli/socket-file.js';
import { StartError } from '../cli/start-error.js';
import { parseListenAddress, type ListenAddress } from '../config/values/listen-address.js';
import { lineOf } from '../config/configuration-error.js';
import { linesOf, Reloads } from '../config/reload/reloads.js';
import type { ServerSettings } from '../config/server.settings.js';
import type { Settings } from '../config/settings.js';
import { CustomSettings, FilesystemSettings, S3Settings, type StorageSettings } from '../config/storage.settings.js';
import { version } from '../config/version.js';
import { DrainService, refuseConnections } from '../distribution/server/drain.service.js';
import { DownloadsService } from '../registry/mirrored/downloads/downloads.service.js';
import { ReadinessService } from '../registry/readiness.service.js';
import { StorageError } from '../storage/storage-error.js';
import { adminServerOf } from './admin.server.js';
import { allAddresses } from './all-addresses.js';
import { listenError } from './listen-error.js';
import { growUnderLoad } from './memory/young-generation.js';
import { accessWarnings } from './access.warnings.js';
import type { Reload } from './reload.js';
import type { WorkerReloads } from './reload/worker.reloads.js';
import type { SiblingServer } from './sibling.server.js';

/** What distinguishes a worker from a process that serves alone. */
export interface WorkerContext {
  /** The server through which the other workers reach this one. */
  readonly sibling: SiblingServer;
  /** Replaces signals. Resolves with the name of one. */
  readonly stopped: Promise<string>;
  /** Through which workers have each other read their files. */
  readonly reloads: WorkerReloads;
}

/** Serves until SIGTERM or SIGINT, then drains. @throws StartError */
export async function serve(settings: Settings, reload: Reload, context?: WorkerContext): Promise<void> {
  const app = await open(settings);
  const logger = new Logger('Server');
  logger.log(startLine(settings));
  // Once, not by every worker.
  if (settings.server.runsJobs) {
    for (const warning of (settings.warnings ?? []).map(lineOf)) logger.warn(warning);
    void warnOfAccess(settings, logger);
  }
  const admin = adminServerOf(app);
  const stopped = context?.stopped ?? stopSignal();
  context?.sibling.forwardTo(app.getHttpServer());
  reload.perform(() => void readAgain(app, logger));
  warnOfChanges(app, settings, logger);
  context?.reloads.perform(() => app.get(Reloads).reloadHere());
  if (context) app.get(Reloads).passOn(() => context.reloads.reloadOthers());
  try {
    // Before the first request, which would have to wait for it.
    shrinkHeap();
    useCompilers();
    growUnderLoad();
    await listenForAdmins(admin, settings, logger);
    logger.log(`listening on ${await listen(app, settings.server)}`);
    logger.log(`${await stopped} received, finishing ${app.get(DrainService).count} transfers`);
    app.get(ReadinessService).startDraining();
    app.get(WarmService).stop();
    // A connection kept open would be closed just as a client sends its next request.
    app.get(DrainService).announce();
    // Lets load balancers notice before connections are refused.
    await sleep(settings.server.drainDelay);
    context?.sibling.close();
    const isDrained = await drain(app, settings.server.drainTimeout);
    if (!isDrained) logger.warn('the drain timeout passed, running transfers are cut');
  } finally {
    admin.close();
    admin.closeAllConnections();
    app.get(DrainService).cut();
    await app.close();
  }
}

/** What SIGHUP does. Never rejects. */
async function readAgain(app: NestFastifyApplication, logger: Logger): Promise<void> {
  for (const line of linesOf(await app.get(Reloads).reloadHere())) logger.log(`SIGHUP: ${line}`);
}

/** Of rules without an effect, when the access file or the namespaces are different. Once, not by every worker. */
function warnOfChanges(app: NestFastifyApplication, settings: Settings, logger: Logger): void {
  if (!settings.server.runsJobs) return;
  let current = settings;
  const warn = (changed: Partial<Settings>) => {
    current = { ...current, ...changed };
    void warnOfAccess(current, logger);
  };
  app.get(AccessService).onChange((access) => warn({ access }));
  app.get(Reloads).onChange(({ upstreams, hosted }) => warn({ upstreams, hosted }));
}

/** Never throws. It reads files, which nothing waits for. */
async function warnOfAccess(settings: Settings, logger: Logger): Promise<void> {
  for (const warning of await accessWarnings(settings)) logger.warn(warning);
}

function startLine({ storage, upstreams, hosted }: Settings): string {
  const names = upstreams.map(({ namespace }) => namespace).join(', ') || 'none configured';
  const own = hosted.length === 0 ? '' : `, hosted: ${hosted.map(({ namespace }) => namespace).join(', ')}`;
  return `oci-registry ${version}, Node.js ${process.versions.node}, storage: ${placeOf(storage)}, upstreams: ${names}${own}`;
}

function placeOf(storage: StorageSettings): string {
  if (storage instanceof FilesystemSettings) return `filesystem ${storage.root}`;
  if (storage instanceof S3Settings) return `bucket ${storage.bucket}`;
  return storage instanceof CustomSettings ? `module ${storage.module}` : 'memory';
}

async function open(settings: Settings): Promise<NestFastifyApplication> {
  try {
    return await createApp(settings);
  } catch (error) {
    if (error instanceof StorageError) throw new StartError(error.message);
    throw error;
  }
}

/** A default admin address that is in use is a warning: two mirrors on one machine must both start without a setting. */
async function listenForAdmins(server: Server, { server: settings, given }: Settings, logger: Logger): Promise<void> {
  const { adminListen } = settings;
  if (adminListen === 'off') return;
  try {
    const bound = await listenAt('admin-listen', adminListen, (address) => listenPlainly(server, address));
    logger.log(`serving /_admin at ${bound}`);
  } catch (error) {
    if (!(error instanceof StartError) || given?.has('admin-listen') === true) throw error;
    logger.warn(`there is no admin address: ${error.message}`);
  }
}

async function listenPlainly(server: Server, address: ListenAddress): Promise<string> {
  // The umask, because the socket file would be open to others between its creation and a chmod.
  const umask = process.umask(0o177);
  try {
    // Otherwise the cluster module would share the address among all workers.
    server.listen({ ...address, exclusive: true });
  } finally {
    process.umask(umask);
  }
  await once(server, 'listening');
  return urlOf(server.address());
}

/** Where a server really listens: the port that the system chose, and all addresses if it is all. */
function urlOf(bound: AddressInfo | string | null, scheme = 'http'): string {
  if (typeof bound === 'string' || bound === null) return `unix:${bound}`;
  return `${scheme}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** @returns its addresses: a host name may have several */
function listen(app: NestFastifyApplication, { listen: text, worker, tlsCert }: ServerSettings): Promise<string> {
  const fastify = app.getHttpAdapter().getInstance();
  const begin = async (address: ListenAddress) => {
    await fastify.listen(address);
    return fastify
      .addresses()
      .map((bound) => urlOf(bound, tlsCert === undefined ? 'http' : 'https'))
      .join(', ');
  };
  return listenAt('listen', text, begin, worker !== undefined);
}

/** @param isShared whether the supervisor listens; it has removed a stale socket file. */
async function listenAt(
  option: 'listen' | 'admin-listen',
  text: string,
  begin: (address: ListenAddress) => Promise<string>,
  isShared = false,
): Promise<string> {
  const address = parseListenAddress(text);
  if (!address) throw new StartError(`cannot listen on ${text}`);
  try {
    if ('path' in address && !isShared) await clearSocketFile(address.path);
    return await begin(await allAddresses(address));
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw listenError(option, text, String(error.code));
    throw error;
  }
}

/** Resolves with the name of the first signal. A second one exits at once. */
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

/** Stops accepting and waits for responses and downloads in progress. @returns whether all of them ended in time */
async function drain(app: NestFastifyApplication, timeout: number): Promise<boolean> {
  refuseConnections(app.getHttpServer());
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), timeout)));
  const done = app
    .get(DrainService)
    .drain()
    .then(() => app.get(DownloadsService).idle())
    .then(() => true as const);
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
