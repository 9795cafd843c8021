import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { MailCheck } from './check.js';
import { Deliveries } from './delivery.js';
import { DeliveryRows } from './delivery-rows.js';
import { FeedbackRecorder } from './feedback.js';
import { Guard } from './guard.js';
import { DirectMail } from './direct-mail.js';
import { DeliveryLedger } from './ledger.js';
import { MailRenderer } from './mail-renderer.js';
import { Pauses } from './pauses.js';
import { Receipts } from './receipts.js';
import { SentMail } from './sent-mail.js';
import { Suppressions } from './suppression.js';
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
    DirectMail,
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
    DirectMail,
  ],
})
export class DeliveryModule {}
