import cluster from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerSettings } from '../config/server.settings.js';
import type { Settings } from '../config/settings.js';
import { serve } from './serve.js';
import { SiblingServer } from './sibling.server.js';
import type { Order } from './supervise.js';

/** Milliseconds that the supervisor may take to let a worker go. */
const disconnectTimeout = 2_000;

/** Serves as one of several workers until the supervisor says that it is over. @returns 0 @throws StartError */
export async function work(settings: Settings, place: number): Promise<number> {
  const sibling = new SiblingServer(settings.server);
  try {
    sibling.server.listen({ host: '127.0.0.1', port: 0, exclusive: true });
    await once(sibling.server, 'listening');
    const bound = sibling.server.address();
    if (typeof bound === 'string' || bound === null) throw new Error('the port for the other workers has no number');
    const server = settingsOfWorker(settings.server, place, `http://127.0.0.1:${bound.port}`);
    await serve({ ...settings, server }, { sibling, stopped: stopOrder() });
    return 0;
  } finally {
    sibling.server.close();
    sibling.server.closeAllConnections();
    await leave();
  }
}

/** @param url where the others reach this one, unless an address is configured that leads to all of them. */
function settingsOfWorker(server: ServerSettings, place: number, url: string): ServerSettings {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(server) as object) as ServerSettings, server);
  copy.worker = place;
  copy.advertiseUrl ??= url;
  if (!copy.runsJobs) copy.adminListen = 'off';
  return copy;
}

/**
 * Resolves with the signal that the supervisor got. A terminal and a service manager send theirs to every process, and
 * a second one ends a process at once; so what is sent here does not count.
 */
function stopOrder(): Promise<string> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    process.on('message', (order: Order) => {
      if (order.signal === 'SIGHUP') process.emit('SIGHUP');
      else resolve(order.signal);
    });
  });
}

/** The channel to the supervisor would keep the process. It is closed in the one way that Node takes for no accident. */
async function leave(): Promise<void> {
  const { worker } = cluster;
  if (!worker?.isConnected()) return;
  worker.disconnect();
  await Promise.race([once(worker, 'disconnect'), sleep(disconnectTimeout, undefined, { ref: false })]);
}
