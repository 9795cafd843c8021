import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { MailCheck } from './check.js';
import { Deliveries } from './delivery.js';
import { DeliveryRows } from './delivery-rows.js';
import { FeedbackRecorder } from './feedback.js';
import { Guard } from './guard.js';
import { DeliveryLedger } from './ledger.js';
import { MailRenderer } from './mail-renderer.js';
import { Pauses } from './pauses.js';
import { Receipts } from './receipts.js';
import { SentMail } from './sent-mail.js';
import { StaffMail } from './staff-mail.js';
import { Suppressions } from './suppression.js';
import { TestMail } from './test-mail.js';
import { DeliveryWords } from './words.js';
import { DeliveryWorker } from './worker.js';

@Module({
  imports: [AccessModule, TemplatesModule, OutboundModule],
  providers: [
    Deliveries,
    DeliveryRows,
    Guard,
    DeliveryWords,
    MailRenderer,
    Receipts,
    Pauses,
    DeliveryWorker,
    Suppressions,
    FeedbackRecorder,
    DeliveryLedger,
    MailCheck,
    SentMail,
    StaffMail,
    TestMail,
  ],
  exports: [
    Deliveries,
    MailRenderer,
    Pauses,
    Suppressions,
    FeedbackRecorder,
    DeliveryLedger,
    MailCheck,
    SentMail,
    StaffMail,
    TestMail,
  ],
})
export class DeliveryModule {}
