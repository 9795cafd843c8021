import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { AdminController } from './admin.controller.js';
import { Backlog } from './backlog.js';
import { DocsController } from './docs.controller.js';
import { Erasure } from './erasure.js';
import { HealthController } from './health.controller.js';
import { Health } from './health.js';
import { KeyChanges } from './key-changes.js';
import { MetricsController } from './metrics.controller.js';
import { PeopleController } from './people.controller.js';
import { Retention } from './retention.js';

@Module({
  imports: [DeliveryModule, OutboundModule, TicketsModule, TemplatesModule],
  controllers: [HealthController, MetricsController, DocsController, AdminController, PeopleController],
  providers: [Health, Backlog, Erasure, KeyChanges, Retention],
})
export class OperationsModule {}
