import type { INestApplication } from '@nestjs/common';
import type { Server } from 'node:http';
import { createAdminServer } from '../admin/admin.listener.js';
import { ServerSettings } from '../config/server.settings.js';
import { serverLimits } from '../distribution/server/server.options.js';

/** The server for the admin address of an app, not yet listening. The caller closes it, before the app. */
export function adminServerOf(app: INestApplication<Server>): Server {
  return createAdminServer(app.getHttpServer(), serverLimits(app.get(ServerSettings)));
}
