import cluster from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { supervisorId } from '../cli/worker-number.js';
import type { ServerSettings } from '../config/server.settings.js';
import type { Settings } from '../config/settings.js';
import { endWithSupervisor } from './orphan.js';
import type { Reload } from './reload.js';
import { WorkerReloads } from './reload/worker.reloads.js';
import { serve } from './serve.js';
import { SiblingServer } from './sibling.server.js';
import { readyMessage, type SupervisorMessage } from './worker.messages.js';

/** Milliseconds to wait for the supervisor's channel to close. */
const disconnectTimeout = 2_000;

/** Serves as one of several workers until the supervisor says to stop. @returns 0 @throws StartError */
export async function work(settings: Settings, place: number, reload: Reload): Promise<number> {
  endWithSupervisor(supervisorId());
  // A supervisor that has just ended takes no message; this worker ends with it.
  const reloads = new WorkerReloads((request) => process.connected && process.send?.(request));
  const stopped = stopMessage(reload, reloads);
  const sibling = new SiblingServer(settings.server);
  try {
    sibling.server.listen({ host: '127.0.0.1', port: 0, exclusive: true });
    await once(sibling.server, 'listening');
    const bound = sibling.server.address();
    if (typeof bound === 'string' || bound === null) throw new Error('the sibling server has no port');
    const server = settingsOfWorker(settings.server, place, `http://127.0.0.1:${bound.port}`);
    await serve({ ...settings, server }, reload, { sibling, stopped, reloads });
    return 0;
  } finally {
    sibling.server.close();
    sibling.server.closeAllConnections();
    await leave();
  }
}

/** @param url at which the other workers reach this one, unless an address of all of them is configured. */
function settingsOfWorker(server: ServerSettings, place: number, url: string): ServerSettings {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(server) as object) as ServerSettings, server);
  copy.worker = place;
  copy.advertiseUrl ??= url;
  if (!copy.runsJobs) copy.adminListen = 'off';
  return copy;
}

/**
 * Resolves with the signal that the supervisor got. The worker ignores signals of its own: a terminal and a service
 * manager send theirs to every process, and a second one would end this process at once.
 */
function stopMessage(reload: Reload, reloads: WorkerReloads): Promise<string> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    process.on('message', (message: SupervisorMessage) => {
      if (!('signal' in message)) reloads.receive(message);
      else if (message.signal === 'SIGHUP') reload.request();
      else resolve(message.signal);
    });
    // What the supervisor sent before would be lost.
    process.send?.(readyMessage);
  });
}

/** Closes the channel to the supervisor, which would keep the process running, in the way that Node treats as voluntary. */
async function leave(): Promise<void> {
  const { worker } = cluster;
  if (!worker?.isConnected()) return;
  worker.disconnect();
  await Promise.race([once(worker, 'disconnect'), sleep(disconnectTimeout, undefined, { ref: false })]);
}
