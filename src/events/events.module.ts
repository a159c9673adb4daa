import { Global, Module } from '@nestjs/common';
import { EventsService } from './events.service.js';

/** Webhooks, which are told what happens. */
@Global()
@Module({ providers: [EventsService], exports: [EventsService] })
export class EventsModule {}
