import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ExactPathGuard } from '../exact-path.guard.js';
import { MetricsService } from './metrics.service.js';

/** What Prometheus scrapes. */
@Controller('metrics')
@UseGuards(ExactPathGuard)
export class MetricsController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @Header('x-content-type-options', 'nosniff')
  @Header('cache-control', 'no-store')
  get(): Promise<string> {
    return this.metrics.text();
  }
}
