import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { MailCheck } from './check.js';
import { Deliveries } from './delivery.js';
import { DeliveryRows } from './delivery-rows.js';
import { FeedbackRecorder } from './feedback.js';
import { Guard } from './guard.js';
import { DeliveryLedger } from './ledger.js';
import { MailRenderer } from './mail-renderer.js';
import { StaffMail } from './staff-mail.js';
import { Suppressions } from './suppression.js';
import { DeliveryWorker } from './worker.js';

@Module({
  imports: [AccessModule, TemplatesModule],
  providers: [
    Deliveries,
    DeliveryRows,
    Guard,
    MailRenderer,
    DeliveryWorker,
    Suppressions,
    FeedbackRecorder,
    DeliveryLedger,
    MailCheck,
    StaffMail,
  ],
  exports: [Deliveries, Suppressions, FeedbackRecorder, DeliveryLedger, MailCheck, StaffMail],
})
export class DeliveryModule {}
