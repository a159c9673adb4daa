import type { Provider } from '@nestjs/common';
import { DeletionsService } from './deletions.service.js';
import { GarbageReader } from './garbage/garbage.reader.js';
import { GarbageService } from './garbage/garbage.service.js';
import { GarbageTimes } from './garbage/garbage.times.js';
import { RenewalsService } from './garbage/renewals.service.js';
import { HostedBlobsService } from './hosted-blobs.service.js';
import { HostedCatalogService } from './hosted-catalog.service.js';
import { HostedListsService } from './hosted-lists.service.js';
import { HostedManifestsService } from './hosted-manifests.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { HostedUploadsService } from './hosted-uploads.service.js';
import { ManifestPushesService } from './manifest-pushes.service.js';
import { OpenSessions } from './open.sessions.js';
import { QuotaService } from './quota/quota.service.js';
import { ReferencesService } from './references.service.js';
import { RefusedSessions } from './refused.sessions.js';
import { ContentLock } from './locks/content.lock.js';
import { GarbageLock } from './locks/garbage.lock.js';
import { LeaseLock } from './locks/lease.lock.js';
import { TagLock } from './locks/tag.lock.js';
import { AcknowledgedUploads } from './uploads/acknowledged.uploads.js';
import { UploadBodies } from './uploads/upload.bodies.js';
import { TagWriter } from './tag-writer.js';

/** What serves hosted repositories. */
export const hostedProviders: Provider[] = [
  ContentLock,
  DeletionsService,
  GarbageLock,
  GarbageReader,
  GarbageService,
  GarbageTimes,
  HostedBlobsService,
  HostedCatalogService,
  HostedListsService,
  HostedManifestsService,
  HostedNamespaces,
  HostedUploadsService,
  LeaseLock,
  ManifestPushesService,
  OpenSessions,
  QuotaService,
  ReferencesService,
  RefusedSessions,
  AcknowledgedUploads,
  RenewalsService,
  TagLock,
  TagWriter,
  UploadBodies,
];
