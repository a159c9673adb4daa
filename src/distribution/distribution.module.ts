import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { BaseController } from './base.controller.js';
import { BlobsController } from './blobs.controller.js';
import { CertificateService } from './server/certificate.service.js';
import { DrainService } from './server/drain.service.js';
import { OciExceptionFilter } from './exception.filter.js';
import { ManifestsController } from './manifests.controller.js';
import { ReferrersController } from './referrers.controller.js';
import { TagsController } from './tags.controller.js';

/** The endpoints of the distribution specification. */
@Module({})
export class DistributionModule {
  static register(registry: DynamicModule): DynamicModule {
    return {
      module: DistributionModule,
      imports: [registry],
      controllers: [BaseController, BlobsController, ManifestsController, ReferrersController, TagsController],
      providers: [CertificateService, DrainService, { provide: APP_FILTER, useClass: OciExceptionFilter }],
      exports: [CertificateService, DrainService],
    };
  }
}
