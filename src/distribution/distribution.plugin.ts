import type { INestApplicationContext } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Server as TlsServer } from 'node:tls';
import { AccessService } from '../access/access.service.js';
import type { KeyPair, KeyPairFiles } from '../config/key-pair.js';
import { BodyMemory } from '../config/memory/body.memory.js';
import { ServerSettings } from '../config/server.settings.js';
import { TrafficCounts } from '../registry/statistics/traffic.counts.js';
import type { HotResponses } from './hot/hot.responses.js';
import type { NamespaceRules } from './request-target.js';
import { receiveBodies } from './requests/incoming.bodies.js';
import { CertificateService } from './server/certificate.service.js';
import { ConnectionLimits } from './server/connection.limits.js';
import { DrainService } from './server/drain.service.js';
import { SendQueues } from './server/send.queues.js';
import { OrderedRequests } from './server/ordered.requests.js';
import { UntakenResponses } from './server/untaken.responses.js';

/** A certificate and the files that it was read from. */
export interface Certificate {
  readonly files: KeyPairFiles;
  readonly pair: KeyPair;
}

/**
 * Watches connections and responses, and provides what sending a response needs.
 * @param hot responds to what it can before the framework does
 */
export function connectionsPlugin(
  app: INestApplicationContext,
  rules: NamespaceRules,
  certificate: Certificate | undefined,
  hot?: HotResponses,
) {
  return (fastify: FastifyInstance): void => {
    const { server } = fastify;
    const { clientTimeout, maxConnections, maxConnectionsPerAddress } = app.get(ServerSettings);
    const ordered = new OrderedRequests(clientTimeout, hot && ((request, response) => hot.respond(request, response)));
    ordered.handle(server);
    hot?.follow(fastify);
    new ConnectionLimits(maxConnections, maxConnectionsPerAddress ?? Math.ceil(maxConnections / 2)).watch(server);
    // Node would answer other expectations than 100-continue with a bare 417; no client asks for one.
    server.on('checkExpectation', (request, response) => server.emit('request', request, response));
    fastify.decorate('clientTimeout', clientTimeout);
    fastify.decorate('sendQueues', new SendQueues());
    const untaken = new UntakenResponses(clientTimeout);
    untaken.watch(server);
    fastify.decorate('untakenResponses', untaken);
    fastify.decorate('bodyMemory', app.get(BodyMemory));
    fastify.decorate('traffic', app.get(TrafficCounts));
    // The exception filter sets it, the request log reads it.
    fastify.decorateRequest('refusal', undefined);
    fastify.decorate('namespaceRules', rules);
    app.get(DrainService).watch(fastify, ordered);
    receiveBodies(fastify, clientTimeout);
    if (!certificate) return;
    const certificates = app.get(CertificateService);
    certificates.watch(server as unknown as TlsServer, certificate.files, certificate.pair);
    app.get(AccessService).onClientAuthorities((pem) => certificates.trustClients(pem));
  };
}
