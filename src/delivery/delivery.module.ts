import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { Deliveries } from './delivery.js';
import { DeliveryRows } from './delivery-rows.js';
import { MailRenderer } from './mail-renderer.js';
import { DeliveryWorker } from './worker.js';

@Module({
  imports: [AccessModule, TemplatesModule],
  providers: [Deliveries, DeliveryRows, MailRenderer, DeliveryWorker],
  exports: [Deliveries],
})
export class DeliveryModule {}
