import { type DynamicModule, Module } from '@nestjs/common';
import { BackgroundJobs } from './acting/background.jobs.js';
import { OperatorActions } from './acting/operator.actions.js';
import { AdminGuard } from './admin.guard.js';
import { AccessExplanation } from './explaining/access.explanation.js';
import { ExplainController } from './explaining/explain.controller.js';
import { OwnAddresses } from './explaining/own.addresses.js';
import { GarbageController } from './garbage.controller.js';
import { MaintenanceController } from './maintenance.controller.js';
import { RefreshController } from './refresh.controller.js';
import { ReloadController } from './reload.controller.js';
import { RemovalController } from './removal.controller.js';
import { StatusController } from './status.controller.js';
import { UsageController } from './usage.controller.js';
import { WarmController } from './warming/warm.controller.js';
import { WarmService } from './warming/warm.service.js';

/** What operators do to a running mirror: `/_admin`. */
@Module({})
export class AdminModule {
  static register(registry: DynamicModule): DynamicModule {
    return {
      module: AdminModule,
      imports: [registry],
      controllers: [
        ExplainController,
        GarbageController,
        MaintenanceController,
        RefreshController,
        ReloadController,
        RemovalController,
        StatusController,
        UsageController,
        WarmController,
      ],
      providers: [AccessExplanation, AdminGuard, BackgroundJobs, OperatorActions, OwnAddresses, WarmService],
      exports: [AccessExplanation, BackgroundJobs, OperatorActions, OwnAddresses, WarmService],
    };
  }
}
