import type { Provider } from '@nestjs/common';
import { DeletionsService } from './deletions.service.js';
import { HostedBlobsService } from './hosted-blobs.service.js';
import { HostedCatalogService } from './hosted-catalog.service.js';
import { HostedListsService } from './hosted-lists.service.js';
import { HostedManifestsService } from './hosted-manifests.service.js';
import { HostedNamespaces } from './hosted-namespaces.js';
import { HostedUploadsService } from './hosted-uploads.service.js';
import { ManifestPushesService } from './manifest-pushes.service.js';
import { OpenSessions } from './open.sessions.js';
import { QuotaService } from './quota.service.js';
import { ReferencesService } from './references.service.js';
import { TagLock } from './tag.lock.js';
import { TagWriter } from './tag-writer.js';

/** What serves hosted repositories. */
export const hostedProviders: Provider[] = [
  DeletionsService,
  HostedBlobsService,
  HostedCatalogService,
  HostedListsService,
  HostedManifestsService,
  HostedNamespaces,
  HostedUploadsService,
  ManifestPushesService,
  OpenSessions,
  QuotaService,
  ReferencesService,
  TagLock,
  TagWriter,
];
