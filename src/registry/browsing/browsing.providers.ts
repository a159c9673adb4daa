import type { Provider } from '@nestjs/common';
import { BrowsingService } from './browsing.service.js';
import { BrowsedDocuments } from './documents.js';
import { ImageReader } from './image.reader.js';
import { ReferrersReader } from './referrers.reader.js';
import { RepositoriesReader } from './repositories.reader.js';
import { RepositoryIndex } from './listing/repository.index.js';
import { StoredContent } from './stored.content.js';
import { TagIndex } from './listing/tag.index.js';
import { TagsReader } from './tags.reader.js';
import { Turns } from './listing/turns.js';
import { VisibleRepositories } from './visible.repositories.js';

/** What reads the storage for pages. */
export const browsingProviders: Provider[] = [
  BrowsedDocuments,
  BrowsingService,
  ImageReader,
  ReferrersReader,
  RepositoriesReader,
  RepositoryIndex,
  StoredContent,
  TagIndex,
  TagsReader,
  { provide: Turns, useFactory: () => new Turns() },
  VisibleRepositories,
];
