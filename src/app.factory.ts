import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { DestinationStream } from 'pino';
import type { INestApplicationContext } from '@nestjs/common';
import { AccessService } from './access/access.service.js';
import { cameToAdminAddress, confineAdminAddress } from './admin/admin.listener.js';
import { AppModule, type Replacements } from './app.module.js';
import { checkKeyPair, keyPairFiles, readKeyPair } from './config/key-pair.js';
import { wantsTraces } from './config/tracing/opentelemetry.js';
import { ServerSettings } from './config/server.settings.js';
import type { Settings } from './config/settings.js';
import { accessPlugin } from './distribution/access/access.plugin.js';
import { connectionsPlugin, type Certificate } from './distribution/distribution.plugin.js';
import { addHosted, namespaceRules } from './distribution/namespace.rules.js';
import { HotResponses } from './distribution/hot/hot.responses.js';
import { RecalledAccess } from './distribution/hot/recalled.access.js';
import { CachedResponses } from './distribution/responses/cached.responses.js';
import { refuseWithoutHost } from './distribution/server/client.error.js';
import { DrainService } from './distribution/server/drain.service.js';
import { serverOptions } from './distribution/server/server.options.js';
import { JsonLogger } from './observability/logging/json.logger.js';
import { logDestination } from './observability/logging/log.destination.js';
import { requestId } from './observability/logging/request.id.js';
import { RequestMeter } from './observability/logging/request.meter.js';
import { ResponseObserver } from './observability/logging/response.observer.js';
import { followTraces } from './observability/logging/trace.context.js';
import { openTracing } from './observability/logging/tracing.js';
import { HostedNamespaces } from './registry/hosted/hosted-namespaces.js';
import { followFiles } from './process/reload/followers.js';
import { requestsPlugin } from './observability/observability.plugin.js';
import { pagesPlugin } from './web/pages.plugin.js';

export interface AppOptions extends Replacements {
  /** Where log lines go; standard output unless given. */
  readonly log?: DestinationStream;
  /** Sends every response through the framework: tests compare both ways. */
  readonly isFrameworkOnly?: boolean;
}

/**
 * The server as a value: initialized and not yet listening. The caller closes it.
 * @throws StorageError when the storage cannot be used; ConfigurationError when the certificate cannot.
 */
export async function createApp(settings: Settings, options: AppOptions = {}): Promise<NestFastifyApplication> {
  const { server } = settings;
  const logger = new JsonLogger(server.logLevel, await logDestination(server, options.log), server.worker);
  const certificate = readCertificate(server);
  const tracing = wantsTraces() ? await openTracing((message) => logger.warn(message, 'Tracing')) : undefined;
  const rules = namespaceRules(settings);
  const adapter = new FastifyAdapter({
    ...serverOptions(server, rules, certificate?.pair),
    genReqId: requestId,
    skipMiddie: true,
  });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest's options are a class only by name
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.register(settings, options), adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  const cached = new CachedResponses(rules);
  // Spans are made of the framework's requests.
  const hot = tracing || options.isFrameworkOnly === true ? undefined : hotResponses(app, cached, logger);
  // Hooks run in this order.
  const plugins: ((fastify: FastifyInstance) => void)[] = [
    // These must see every request, so they come before anything that responds.
    (fastify) => cached.noteArrivals(fastify),
    connectionsPlugin(app, rules, certificate, hot),
    requestsPlugin(app, logger.pino),
    // Refusals come before content.
    refuseWithoutHost,
    confineAdminAddress(server),
    accessPlugin(app),
    pagesPlugin(app),
    // Everything that may send a request upstream runs inside the trace.
    (fastify) => followTraces(fastify, tracing),
    // Last: a cached response skips the hooks after it, and the route.
    (fastify) => cached.serve(fastify),
  ];
  for (const plugin of plugins) await adapter.getInstance().register(unencapsulated(plugin));
  await app.init();
  addHosted(rules, app.get(HostedNamespaces).formerNames);
  followFiles(app, settings, {
    rules,
    forgetResponses: () => cached.clear(),
  });
  await adapter.getInstance().ready();
  return app;
}

/** Responses before the framework, with everything that its hooks do for others. */
function hotResponses(app: INestApplicationContext, responses: CachedResponses, logger: JsonLogger): HotResponses {
  const access = app.get(AccessService);
  return new HotResponses({
    responses,
    access: access.isEnabled ? new RecalledAccess(access) : undefined,
    observer: new ResponseObserver(app.get(RequestMeter), logger),
    drain: app.get(DrainService),
    isForAdmins: cameToAdminAddress,
    clientTimeout: app.get(ServerSettings).clientTimeout,
  });
}

/** Lets the hooks of a plugin apply to all routes, and to requests that no route matches. */
function unencapsulated(plugin: (fastify: FastifyInstance) => void) {
  const run = (fastify: FastifyInstance, _options: object, done: () => void) => {
    plugin(fastify);
    done();
  };
  return Object.assign(run, { [Symbol.for('skip-override')]: true });
}

function readCertificate(settings: ServerSettings): Certificate | undefined {
  const files = keyPairFiles(settings);
  if (!files) return undefined;
  const pair = readKeyPair(files);
  checkKeyPair(pair, Date.now());
  return { files, pair };
}
