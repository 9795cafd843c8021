import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { AdminController } from './admin.controller.js';
import { AdminGuard } from './admin.guard.js';
import { HealthController } from './health.controller.js';
import { Health } from './health.js';

@Module({
  imports: [DeliveryModule, TicketsModule, TemplatesModule],
  controllers: [HealthController, AdminController],
  providers: [Health, AdminGuard],
})
export class OperationsModule {}
