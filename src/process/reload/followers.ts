import type { INestApplicationContext } from '@nestjs/common';
import { AccessService } from '../../access/access.service.js';
import { WarmController } from '../../admin/warming/warm.controller.js';
import { changesBetween } from '../../config/reload/changes.js';
import { readAgain, type FollowedSettings } from '../../config/reload/followed.files.js';
import { Reloads } from '../../config/reload/reloads.js';
import type { Settings } from '../../config/settings.js';
import { replaceNames, type GrowingRules } from '../../distribution/namespace.rules.js';
import { CertificateService } from '../../distribution/server/certificate.service.js';
import { EventsService } from '../../events/events.service.js';
import { StatusService } from '../../observability/status/status.service.js';
import { Retention } from '../../registry/eviction/retention.js';
import { HostedNamespaces } from '../../registry/hosted/hosted-namespaces.js';
import { QuotaService } from '../../registry/hosted/quota/quota.service.js';
import { NegativeCache } from '../../registry/mirrored/freshness/negative.cache.js';
import { MountSources } from '../../registry/reading/mount.sources.js';
import { TrafficCounts } from '../../registry/statistics/traffic.counts.js';
import { UpstreamClient } from '../../upstream/upstream.client.js';
import { UpstreamsService } from '../../upstream/upstreams.service.js';

/** What depends on namespaces besides services. */
export interface NamespacePlace {
  /** Resolve the names of requests. */
  readonly rules: GrowingRules;
  readonly forgetResponses: () => void;
}

/** Lets a server follow the files that its settings were read from. */
export function followFiles(app: INestApplicationContext, settings: Settings, place: NamespacePlace): void {
  let current: FollowedSettings = settings;
  const access = app.get(AccessService);
  const others = [() => app.get(CertificateService).look()];
  app.get(Reloads).follow(
    {
      read: () => readAgain(settings.server),
      check: async ({ upstreams }) => {
        const names = await app.get(HostedNamespaces).withContent(upstreams);
        return names.map((name) => `${name} has pushed content: it becomes an upstream at the next start only`);
      },
      apply: async (next) => {
        const changes = changesBetween(current, next);
        if (changes.length === 0) return [];
        replaceNamespaces(app, next, place);
        current = next;
        if (next.webhooks) await app.get(EventsService).replace(next.webhooks);
        await app.get(HostedNamespaces).findFormer();
        replaceNames(place.rules, next, app.get(HostedNamespaces).formerNames);
        // Those that were made meanwhile know neither the new webhooks nor the former names.
        place.forgetResponses();
        return changes;
      },
      others: access.isEnabled ? [...others, () => access.readAgain()] : others,
    },
    settings.files ?? new Map(),
  );
}

/** Without a wait, so that no request sees a part of it. The first step makes what could fail before it changes anything. */
function replaceNamespaces(app: INestApplicationContext, next: FollowedSettings, place: NamespacePlace): void {
  const { upstreams, hosted } = next;
  const retired = app.get(UpstreamsService).replace(upstreams, hosted);
  app.get(HostedNamespaces).replace(hosted, upstreams);
  app.get(QuotaService).replace(hosted);
  app.get(MountSources).replace(hosted);
  app.get(Retention).replace(upstreams);
  app.get(TrafficCounts).replace();
  app.get(StatusService).replace(upstreams);
  app.get(WarmController).replace(upstreams);
  replaceNames(place.rules, next, app.get(HostedNamespaces).formerNames);
  place.forgetResponses();
  app.get(NegativeCache).clear();
  app.get(UpstreamClient).retire(retired);
}
