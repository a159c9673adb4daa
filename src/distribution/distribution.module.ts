import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { BaseController } from './base.controller.js';
import { BlobsController } from './blobs.controller.js';
import { CatalogController } from './catalog.controller.js';
import { CertificateService } from './server/certificate.service.js';
import { DrainService } from './server/drain.service.js';
import { EventsPipe, PullEvents } from './events/request.events.js';
import { OciExceptionFilter } from './exception.filter.js';
import { ManifestsController } from './manifests.controller.js';
import { ReferrersController } from './referrers.controller.js';
import { RequesterPipe } from './requester.pipe.js';
import { UploadSlots } from './requests/upload.slots.js';
import { TagsController } from './tags.controller.js';
import { TokenController } from './access/token.controller.js';
import { UploadsController } from './uploads.controller.js';

/** The endpoints of the distribution specification. */
@Module({})
export class DistributionModule {
  static register(registry: DynamicModule): DynamicModule {
    return {
      module: DistributionModule,
      imports: [registry],
      controllers: [
        BaseController,
        BlobsController,
        CatalogController,
        ManifestsController,
        ReferrersController,
        TagsController,
        TokenController,
        UploadsController,
      ],
      providers: [
        CertificateService,
        DrainService,
        EventsPipe,
        PullEvents,
        RequesterPipe,
        UploadSlots,
        { provide: APP_FILTER, useClass: OciExceptionFilter },
      ],
      exports: [CertificateService, DrainService],
    };
  }
}
