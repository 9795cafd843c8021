import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { AdminController } from './admin.controller.js';
import { Backlog } from './backlog.js';
import { DocsController } from './docs.controller.js';
import { HealthController } from './health.controller.js';
import { Health } from './health.js';
import { MetricsController } from './metrics.controller.js';

@Module({
  imports: [DeliveryModule, OutboundModule, TicketsModule, TemplatesModule],
  controllers: [HealthController, MetricsController, DocsController, AdminController],
  providers: [Health, Backlog],
})
export class OperationsModule {}
